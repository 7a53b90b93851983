"""Items for a model to answer where nobody gave any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import DATATYPES, Array, TensorSpec


def random_inputs(specs: Sequence[TensorSpec], items: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draws items: normal floats, whole numbers 0 and 1 (which index any table), one-word texts.

    Args:
        specs: the model's inputs.
        items: how many.
        rng: the source of randomness.

    Returns:
        arrays by input name, each [items, ...].

    Raises:
        InvalidError: the model leaves a size open, which only real items can tell.
    """
    return {spec.name: _drawn(spec, (items, *spec.shape), rng) for spec in specs}


def repeated(inputs: Mapping[str, Array], items: int) -> dict[str, Array]:
    """The first items, from the beginning again where there are too few; arrays [items, ...] by name."""
    return {name: array[np.arange(items) % len(array)] for name, array in inputs.items()}


def _drawn(spec: TensorSpec, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if -1 in spec.shape:
        raise InvalidError(
            f"input {spec.name!r} takes items of any size {list(spec.shape)}: give real ones with --data"
        )
    if spec.datatype == "BYTES":
        return np.full(shape, "word", dtype=np.object_)
    if spec.datatype.startswith(("FP", "BF")):
        return rng.standard_normal(shape).astype(DATATYPES[spec.datatype])
    return rng.integers(0, 2, shape).astype(DATATYPES[spec.datatype])
