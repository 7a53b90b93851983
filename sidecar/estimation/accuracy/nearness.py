"""What a candidate's vote is worth by how near its source lies to the traffic."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.ranks import shares_below

# A candidate of unknown source counts as one in the middle.
_UNKNOWN_RANK: Final = 0.5


def nearness(distances: Floats) -> Floats:
    """Gives votes their weight by how near their source's inputs lie to the window's.

    Candidates that never saw such traffic tend to err alike; a majority of them then outvotes the
    few that fit. By rank, as distances have no unit that would mean the same on all traffic. Where no
    source is known, all votes count the same.

    Args:
        distances: distance of each source from the traffic; infinite where it is not known [C].

    Returns:
        [C]: 1 for the nearest, exp(-1) for the farthest.
    """
    ranks = np.full(len(distances), _UNKNOWN_RANK)
    known = np.isfinite(distances)
    if known.sum() > 1:
        ranks[known] = shares_below(distances[known])
    return np.asarray(np.exp(-ranks))
