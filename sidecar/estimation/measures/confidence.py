"""Confidence: how sure a candidate says it is."""

from __future__ import annotations

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def confidence(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean of the highest probability over the window's items.

    Returns:
        value 1/K to 1 of each candidate.

    References:
        Hendrycks & Gimpel 2017; as an estimate of accuracy, Garg et al. 2022 (AC).
    """
    return tuple(mean_estimate(scores, (0, 1)) for scores in evidence.highest)
