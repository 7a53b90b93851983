"""What a candidate's vote is worth by how near its source lies to the traffic."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.ranks import shares_below

# A candidate of unknown source counts as one in the middle.
_UNKNOWN_RANK = 0.5


def nearness(distances: Floats, falloff: float) -> Floats:
    """Gives votes their weight by how near their source's inputs lie to the window's.

    Candidates that never saw such traffic tend to err alike; a majority of them then outvotes the
    few that fit. By rank, as distances have no unit that would mean the same on all traffic. Where no
    source is known, all votes count the same.

    Args:
        distances: of each source; infinite where that is not known [C].
        falloff: the farthest one's vote counts exp(-falloff) of the nearest one's.

    Returns:
        above 0, at most 1, shape [C].
    """
    ranks = np.full(len(distances), _UNKNOWN_RANK)
    known = np.isfinite(distances)
    if known.sum() > 1:
        ranks[known] = shares_below(distances[known])
    return np.asarray(np.exp(-falloff * ranks))
