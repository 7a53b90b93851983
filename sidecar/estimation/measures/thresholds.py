"""How far a source's own partitions lie apart: the scale on which live partitions are judged."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import SourceThresholds
from sidecar.core.profile import SourceProfile
from sidecar.estimation.measures.columns import column_divergence, columns_of
from sidecar.estimation.measures.divergence import pairwise_jsd, squared_hellinger

# Traffic like the source is judged to lie outside in one comparison of twenty.
QUANTILE = 0.95
_MIN_PARTITIONS = 2


def source_thresholds(profile: SourceProfile) -> SourceThresholds | None:
    """Derives a profile's thresholds; they are constant, so once a profile is enough.

    A partition's nearest other lies at least as far as a value that is alone in its bin makes it:
    where all partitions are equal, chance could have put them so far apart.

    A column's partitions are compared with the source without them: against a whole that holds
    the partition itself, chance differences look smaller than a live partition's do.

    Args:
        profile: profile of the candidate.

    Returns:
        the 95 % quantiles and the nearest distances; None where the source has one partition.
    """
    counts = profile.feature_counts
    if len(profile.pooled) < _MIN_PARTITIONS:
        return None
    pooled = float(np.quantile(pairwise_jsd(profile.pooled), QUANTILE))
    distances = squared_hellinger(profile.pooled, profile.pooled)
    np.fill_diagonal(distances, 1.0)
    nearest = np.maximum(distances.min(axis=0), 1 / (2 * profile.pooled[0].sum()))
    whole = counts.sum(axis=0)
    if not len(whole):
        return SourceThresholds(pooled, nearest, np.empty(0))
    apart = column_divergence(columns_of(profile), counts, whole - counts)
    return SourceThresholds(pooled, nearest, np.quantile(apart, QUANTILE, axis=0))
