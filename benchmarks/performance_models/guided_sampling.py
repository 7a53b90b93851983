"""Guided sampling: the rows of a table that the paper's strategy `guided` would measure."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.source import Source


def worth_measuring(source: Source, codes: Floats, count: int, rng: np.random.Generator) -> Array:
    """Chooses configurations in which only influential options leave their defaults.

    Args:
        source: whose influential options are varied.
        codes: what can be measured, shape [rows, options].
        count: how many to choose.
        rng: breaks ties.

    Returns:
        row numbers, shape [count]: first those where the fewest options without influence leave their
            defaults.
    """
    space = source.space
    influential = {option for term in source.terms for option in term}
    others = [option for option in range(len(space.options)) if option not in influential]
    off = (codes[:, others] != space.code({})[others]).sum(axis=1)
    order = rng.permutation(len(codes))
    return order[np.argsort(off[order], kind="stable")][:count]
