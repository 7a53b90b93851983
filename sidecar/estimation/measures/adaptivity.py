"""Adaptivity: how much of the live traffic looks like what a candidate was trained on.

Four views: the published count, coverage on the source's own scale, the same column by column,
and which columns left the source's support.
"""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence, SourceThresholds, TargetStatistics
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Estimate, FeatureShift
from sidecar.core.tensors import Array
from sidecar.estimation.measures.columns import column_divergence, columns_of, outside_support, varying
from sidecar.estimation.measures.divergence import matches
from sidecar.estimation.measures.interval import mean_estimate

# The published measure tunes its threshold on target accuracy, which is not known here. This one,
# nats, tells self-scaled shapes apart: 500 rows of one feature give 0.17 for a normal against a
# uniform distribution and 0.06 for two draws of either.
REFERENCE_TAU = 0.1
MAX_SHIFTED = 10


def reference_counts_under(evidence: Evidence, tau: float) -> tuple[Array, ...]:
    """Counts, for every candidate and target partition, the source partitions that match.

    All candidates that see the same target partitions are compared in one product.

    Returns:
        int64 [T] of each candidate.
    """
    groups: dict[bytes, list[int]] = {}
    sources = evidence.sources
    for index, (_, target) in enumerate(sources):
        groups.setdefault(target.reference.tobytes(), []).append(index)
    counts: dict[int, Array] = {}
    for members in groups.values():
        stored = [sources[index][0].reference for index in members]
        found = matches(np.concatenate(stored), sources[members[0]][1].reference, tau)
        ends = np.cumsum([len(source) for source in stored])[:-1]
        for index, part in zip(members, np.split(found, ends), strict=True):
            counts[index] = part.sum(axis=0)
    return tuple(counts[index] for index in range(len(sources)))


def adaptivity(evidence: Evidence) -> tuple[Estimate, ...]:
    """Counts matching pairs of source and target partitions, per target partition.

    Every partition is scaled by itself, so location and scale of the traffic do not count.

    Returns:
        value 0 to S of each candidate.

    References:
        arXiv 2206.00188: #{(i, j): JSD(S_i, T_j) < tau} / #T.
    """
    counts = reference_counts_under(evidence, REFERENCE_TAU)
    return tuple(
        mean_estimate(found, (0, len(profile.reference)))
        for (profile, _), found in zip(evidence.sources, counts, strict=True)
    )


def coverage(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the share of target partitions that at least one source partition matches.

    Scaled by the source's range, so that shifts in location and scale count; the threshold is
    the source's own.

    Returns:
        value 0 to 1 of each candidate.
    """
    answers = []
    for (profile, target), limits in zip(evidence.sources, evidence.limits, strict=True):
        found = np.asarray(matches(profile.pooled, target.pooled, limits.pooled).any(axis=0))
        answers.append(mean_estimate(found, (0, 1)))
    return tuple(answers)


def feature_coverage(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean share of columns whose histogram lies as near the source as its own do.

    Columns that are constant in source and window say nothing and do not count.

    Returns:
        value 0 to 1 of each candidate; about 0.95 for traffic like the source.
    """
    answers = []
    for (profile, target), limits in zip(evidence.sources, evidence.limits, strict=True):
        columns, whole = columns_of(profile), profile.feature_counts.sum(axis=0)
        varies = varying(columns, target.feature_counts.sum(axis=0), whole)
        apart = column_divergence(columns, target.feature_counts, whole)
        within = (apart <= limits.columns)[:, varies].mean(axis=1) if varies.any() else np.ones(len(apart))
        answers.append(mean_estimate(within, (0, 1)))
    return tuple(answers)


def shifted_columns(
    profile: SourceProfile | None, target: TargetStatistics | None, limits: SourceThresholds | None
) -> tuple[FeatureShift, ...]:
    """Names the columns whose window lies farther from the source than its partitions do.

    With a single target partition, one column of twenty shows up by chance.

    Returns:
        farthest beyond its threshold first, at most MAX_SHIFTED; none where nothing is known.
    """
    if profile is None or target is None or limits is None or not target.feature_counts.size:
        return ()
    columns, source = columns_of(profile), profile.feature_counts.sum(axis=0)
    apart = column_divergence(columns, target.feature_counts.sum(axis=0), source)
    outside = outside_support(profile, target)
    worst = np.argsort(limits.columns - apart, kind="stable")[:MAX_SHIFTED]
    return tuple(
        FeatureShift(
            name=columns.names[index],
            divergence=float(apart[index]),
            threshold=float(limits.columns[index]),
            outside_range=float(outside[index]),
        )
        for index in worst
        if apart[index] > limits.columns[index]
    )
