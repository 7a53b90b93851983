"""The order of candidates that give no classes: by what the inputs say of their sources, and nothing else."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.ranking import State
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.ranks import shares_below
from sidecar.estimation.accuracy.states import NO_SUPPORT, support_doubt
from sidecar.estimation.accuracy.support import Support

NO_CLASSES: Final = (
    State.INSUFFICIENT_DATA,
    (
        "gives no classes: ordered by how its source's inputs compare with the traffic alone; "
        "accuracy is not estimated"
    ),
)
_UNKNOWN: Final = (
    State.INSUFFICIENT_DATA,
    "gives no classes, and how its source's inputs compare with the traffic is not known",
)
# Equal means of different shares differ by rounding.
_SAME: Final = 1e-9
# A candidate with no other one to compare with lies in the middle.
_ALONE: Final = 0.5


def support_ranks(support: Support) -> Array:
    """Ranks candidates by how near their source lies to the traffic and how much of that it held.

    What counts is the mean of two ranks, each the share of the candidates that are better, equal ones
    sharing theirs. Where one of the two is not known, the other alone counts.

    Args:
        support: what the inputs say of each.

    Returns:
        1 is best, equal ones share a rank; 0 where neither is known. int64 [C].
    """
    uncovered = np.array([np.inf if one is None else -one for one in support.inside])
    total, counted = np.zeros(len(uncovered)), np.zeros(len(uncovered))
    for values in (support.distances, uncovered):
        known = np.isfinite(values)
        total[known] += shares_below(values[known]) if known.sum() > 1 else _ALONE
        counted += known
    means = np.where(counted > 0, total / np.maximum(counted, 1), np.inf)
    better = (means < means[:, None] - _SAME).sum(axis=1)
    return np.where(counted > 0, better + 1, 0)


def support_states(support: Support, ranks: Array) -> list[tuple[State, str]]:
    """What is said of each candidate.

    Args:
        support: what the inputs say of each.
        ranks: as `support_ranks` gives them [C].
    """
    return [
        support_doubt(inside) or (NO_CLASSES if rank else _UNKNOWN)
        for inside, rank in zip(support.inside, ranks.tolist(), strict=True)
    ]


def support_state(support: Support) -> tuple[State, str]:
    """What is said of the ranking as a whole."""
    return NO_SUPPORT if support.strange.all() else NO_CLASSES
