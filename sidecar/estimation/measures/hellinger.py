"""Hellinger: how far the whole window lies from the whole source, all features together."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.divergence import squared_hellinger
from sidecar.estimation.measures.interval import jackknife


def hellinger(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the Hellinger distance of the pooled histograms, scaled by the source's range.

    The interval is the jackknife's over target partitions.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Hellinger 1909; sqrt(1 - sum sqrt(p q)).
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        source, window = profile.pooled.sum(axis=0), target.pooled.sum(axis=0)
        windows = np.vstack([window, window - target.pooled])
        value, *without_one = np.sqrt(squared_hellinger(source[None], windows)[0])
        answers.append(jackknife(float(value), np.array(without_one), (0.0, 1.0)))
    return tuple(answers)
