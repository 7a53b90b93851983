"""How well each candidate's source covers the traffic, and what its vote is worth by that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.domain.ranking import MeasureValue
from sidecar.domain.tensors import Floats

# Below this, more of the traffic lies outside the source than inside.
SUPPORTED = 0.5
# Six candidates at half the leader's coverage then weigh less than one at full coverage.
_POWER = 3
_VIEWS = ("feature_coverage", "coverage")


def support_of(measures: Sequence[MeasureValue]) -> float | None:
    """Takes a candidate's support from its measures: feature coverage, or else coverage.

    Returns:
        0 to 1; None where neither is known.
    """
    known = {value.name: value.estimate.value for value in measures if value.estimate is not None}
    return next((known[name] for name in _VIEWS if name in known), None)


def support_weights(support: Sequence[float | None]) -> Floats:
    """Gives votes their weight by support, relative to the best supported candidate.

    Candidates that never saw such traffic tend to err alike; without this a majority of them
    outvotes the few that fit. Where no candidate covers the traffic, coverage says nothing about
    who is right and all votes count the same; so does a vote of unknown support.

    Args:
        support: of each candidate, C of them.

    Returns:
        0 to 1, shape [C].
    """
    best = max((value for value in support if value is not None), default=0.0)
    if best < SUPPORTED:
        return np.ones(len(support))
    return np.array([1.0 if value is None else (value / best) ** _POWER for value in support])
