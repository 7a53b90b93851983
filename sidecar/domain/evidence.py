"""What one round knows about the window: aligned arrays over the candidates that answered."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.domain.profile import SourceProfile
from sidecar.domain.tensors import Array, Floats


@dataclass(frozen=True, slots=True)
class TargetStatistics:
    """The window's inputs as one candidate's profile sees them; d features, T full partitions.

    Attributes:
        items: rows behind the moments.
        low: least value of each feature [d].
        high: greatest value of each feature [d].
        mean: [d].
        outside: share of each feature's values outside the source's range [d].
        reference: counts [T, BINS], scaled by each partition itself.
        pooled: counts [T, BINS + 2], scaled by the source's range.
        feature_counts: [T, d, FEATURE_BINS], by the source's quantile edges.
    """

    items: int
    low: Floats
    high: Floats
    mean: Floats
    outside: Floats
    reference: Array
    pooled: Array
    feature_counts: Array


@dataclass(frozen=True, slots=True)
class SourceThresholds:
    """How far a source's own partitions lie apart, nats; made by `sidecar.measures.thresholds`.

    Attributes:
        pooled: 95 % quantile between two partitions' pooled histograms; None with fewer than two.
        features: the same between a partition's feature histogram and the rest of the source [d];
            None with fewer than two partitions or without binned features.
    """

    pooled: float | None
    features: Floats | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One round's input to the measures; C candidates, n items, K labels.

    Attributes:
        profiles: each candidate's source profile, C of them.
        targets: the window as each candidate's profile bins it, C of them.
        thresholds: `source_thresholds` of each profile, C of them; constant, so made once a profile.
        labels: K names; the joint label space.
        probabilities: float64 [C, n, K], rows sum to 1; the same n items for every candidate.
    """

    profiles: tuple[SourceProfile, ...]
    targets: tuple[TargetStatistics, ...]
    thresholds: tuple[SourceThresholds, ...]
    labels: tuple[str, ...]
    probabilities: Array
