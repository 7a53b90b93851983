"""How far a source's own partitions lie apart: the scale on which live partitions are judged."""

from __future__ import annotations

import numpy as np

from sidecar.domain.evidence import SourceThresholds
from sidecar.domain.profile import SourceProfile
from sidecar.measures.divergence import jsd, pairwise_jsd

# Traffic like the source is judged to lie outside in one comparison of twenty.
QUANTILE = 0.95
_MIN_PARTITIONS = 2


def source_thresholds(profile: SourceProfile) -> SourceThresholds:
    """Derives a profile's thresholds; they are constant, so once a profile is enough.

    A feature's partitions are compared with the source without them: against a whole that holds
    the partition itself, chance differences look smaller than a live partition's do.

    Args:
        profile: of the candidate.

    Returns:
        the 95 % quantiles, nats.
    """
    counts = profile.feature_counts
    if len(profile.pooled) < _MIN_PARTITIONS:
        return SourceThresholds(pooled=None, features=None)
    pooled = float(np.quantile(pairwise_jsd(profile.pooled), QUANTILE))
    if not counts.shape[1]:
        return SourceThresholds(pooled=pooled, features=None)
    whole = counts.sum(axis=0)
    apart = np.stack([jsd(partition, whole - partition) for partition in counts])
    return SourceThresholds(pooled=pooled, features=np.quantile(apart, QUANTILE, axis=0))
