"""Agreement: how often the other candidates give the same answer."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def agreement(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean share of the other candidates that answer the same class.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Jiang et al. 2022 (GDE), taken over a pool.
    """
    votes = evidence.votes
    candidates, items = votes.shape
    cells = votes + len(evidence.labels) * np.arange(items)
    votes_of_class = np.bincount(cells.ravel())
    others = (votes_of_class[cells] - 1) / (candidates - 1) * (votes != evidence.unusable)
    return tuple(mean_estimate(scores, (0, 1)) for scores in others)
