"""How near each candidate's source lies to the traffic, and what its vote is worth by that."""

from __future__ import annotations

import numpy as np

from sidecar.domain.evidence import Evidence
from sidecar.domain.tensors import Floats
from sidecar.measures.table import measure_all

# The vote of the farthest source counts 1 / e of the nearest one's. By rank, as distances have no
# unit that would mean the same on all traffic.
_FARTHEST = -1.0
# A candidate of unknown source counts as one in the middle.
_UNKNOWN_RANK = 0.5


def nearness(evidence: Evidence) -> Floats:
    """Gives votes their weight by how near their source's inputs lie to the window's.

    Candidates that never saw such traffic tend to err alike; a majority of them then outvotes the
    few that fit. Where no source is known, all votes count the same.

    Returns:
        above 0, at most 1, shape [C].
    """
    ranks = np.full(len(evidence.votes), _UNKNOWN_RANK)
    apart = distances(evidence)
    known = np.isfinite(apart)
    if known.sum() > 1:
        ranks[known] = shares_below(apart[known])
    return np.asarray(np.exp(_FARTHEST * ranks))


def distances(evidence: Evidence) -> Floats:
    """Takes each source's moment shift [C]; infinite where none is known."""
    values = [one.estimate for (one,) in measure_all(evidence, ("moment_shift",))]
    return np.array([np.inf if value is None else value.value for value in values])


def shares_below(values: Floats) -> Floats:
    """Takes the rank of each value as the share of the others below it; equal ones share their rank.

    Args:
        values: at least two, [C].
    """
    below = (values[:, None] > values).sum(axis=1)
    alike = (values[:, None] == values).sum(axis=1) - 1
    return np.asarray((below + alike / 2) / (len(values) - 1))
