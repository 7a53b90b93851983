"""Agreement: how often the other candidates give the same answer."""

from __future__ import annotations

import numpy as np

from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import Estimate
from sidecar.measures.interval import mean_estimate

_MIN_CANDIDATES = 2


def agreement(evidence: Evidence) -> tuple[Estimate | str, ...]:
    """Takes the mean share of the other candidates that answer the same class.

    Returns:
        value 0 to 1 of each candidate, or why there is none.

    References:
        Jiang et al. 2022 (GDE), taken over a pool.
    """
    candidates, items = len(evidence.profiles), evidence.probabilities.shape[1]
    if candidates < _MIN_CANDIDATES or not items:
        missing = "other candidate to agree with" if items else "item that was answered"
        return (f"there is no {missing}",) * candidates
    votes = evidence.probabilities.argmax(axis=2)
    cells = votes + len(evidence.labels) * np.arange(items)
    votes_of_class = np.bincount(cells.ravel())
    others = (votes_of_class[cells] - 1) / (candidates - 1)
    return tuple(mean_estimate(scores, (0, 1)) for scores in others)
