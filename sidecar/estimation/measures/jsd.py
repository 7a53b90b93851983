"""JSD: how far the whole window lies from the whole source, all features together."""

from __future__ import annotations

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.divergence import LN2, jsd
from sidecar.estimation.measures.interval import jackknife


def divergence(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the divergence of the pooled histograms, scaled by the source's range.

    The interval is the jackknife's over target partitions.

    Returns:
        value 0 to ln 2, nats, of each candidate.

    References:
        arXiv 2206.00188, JSD.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        source, window = profile.pooled.sum(axis=0), target.pooled.sum(axis=0)
        without_one = jsd(source, window - target.pooled)
        answers.append(jackknife(float(jsd(source, window)), without_one, (0.0, LN2)))
    return tuple(answers)
