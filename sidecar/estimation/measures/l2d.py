"""L2D: how far the window's mean lies from the source's, in units of the source's range."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import LEVEL, Z


def l2_distance(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the Euclidean distance of the two means, features scaled to the source's range.

    A constant source feature keeps its own unit. The interval bounds the error of both means
    whatever the correlation of features, as |x + e| differs from |x| by at most |e|; it takes the
    source's variance for the window's too.

    Returns:
        value of each candidate.

    References:
        arXiv 2206.00188, L2D.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        span = np.where(profile.high > profile.low, profile.high - profile.low, 1.0)
        value = float(np.linalg.norm((target.mean - profile.mean) / span))
        scaled_variance = float((profile.variance / span**2).sum())
        half = Z * (scaled_variance * (1 / target.items + 1 / profile.rows)) ** 0.5
        answers.append(Estimate(value, max(value - half, 0.0), value + half, LEVEL))
    return tuple(answers)
