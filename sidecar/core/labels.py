"""Class names: one label space for candidates whose label sets overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sidecar.core.tensors import Array


def label_space(label_sets: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Joins label sets to one space; the first set's order comes first."""
    return tuple(dict.fromkeys(name for names in label_sets for name in names))


def align(values: Array, classes: Sequence[str], space: Sequence[str]) -> Array:
    """Moves class columns into a label space; classes that the candidate does not know get 0.

    Args:
        values: shape [..., len(classes)].
        classes: names of the last axis.
        space: names to have instead; holds all of `classes`.

    Returns:
        shape [..., len(space)], same type.
    """
    if tuple(classes) == tuple(space):
        return values
    place = {name: index for index, name in enumerate(space)}
    aligned = np.zeros((*values.shape[:-1], len(space)), dtype=values.dtype)
    aligned[..., [place[name] for name in classes]] = values
    return aligned
