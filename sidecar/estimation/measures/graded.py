"""Graded adaptivity: coverage without a threshold, so that candidates far outside still differ."""

from __future__ import annotations

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.divergence import squared_hellinger
from sidecar.estimation.measures.interval import mean_estimate


def graded_adaptivity(evidence: Evidence) -> tuple[Estimate, ...]:
    """Compares each target partition's distance to its nearest source partition with the source's own.

    Per target partition the mean over source partitions of L_i / (L_i + D (1 + m)): L_i is the
    distance of source partition i to its nearest other one, D the target partition's to its nearest,
    m the shift of its mean. This is a smooth rank of D among the L_i: 1/2 where both are alike, and
    falling as 1/D beyond the largest of them. Histograms that share no bin lie at one and the same
    distance; the shift tells how far outside they are.

    Distances are squared Hellinger's on the pooled histograms, between JSD and JSD / ln 2, which
    one matrix product gives for all pairs.

    Returns:
        value 0 to 1 of each candidate, about 1/2 for traffic like the source.
    """
    answers: list[Estimate] = []
    for (profile, target), limits in zip(evidence.sources, evidence.limits, strict=True):
        nearest = squared_hellinger(profile.pooled, target.pooled).min(axis=0)
        apart = nearest * (1 + target.shifts)
        scores = limits.nearest[:, None] / (limits.nearest[:, None] + apart)
        answers.append(mean_estimate(scores.mean(axis=0), (0, 1)))
    return tuple(answers)
