"""Joins the class names of candidates whose label sets overlap to one label space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sidecar.core.tensors import Array


def label_space(label_sets: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Joins label sets to one label space; the names of the first set come first, in their order."""
    return tuple(dict.fromkeys(name for names in label_sets for name in names))


def align(values: Array, classes: Sequence[str], space: Sequence[str]) -> Array:
    """Moves class columns into a label space; a class that the candidate does not know gets 0.

    Args:
        values: shape [..., len(classes)].
        classes: class names of the last axis.
        space: class names of the result's last axis; it contains all of `classes`.

    Returns:
        shape [..., len(space)], with the datatype of `values`.
    """
    if tuple(classes) == tuple(space):
        return values
    place = {name: index for index, name in enumerate(space)}
    aligned = np.zeros((*values.shape[:-1], len(space)), dtype=values.dtype)
    aligned[..., [place[name] for name in classes]] = values
    return aligned
