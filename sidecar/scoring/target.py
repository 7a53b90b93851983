"""The window's inputs as one candidate's profile bins them; each partition is binned once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from sidecar.domain.evidence import TargetStatistics
from sidecar.domain.profile import BINS, FEATURE_BINS, SourceProfile
from sidecar.domain.tensors import Array, Floats
from sidecar.measures.histograms import feature_counts, pooled_counts, reference_counts


@dataclass(frozen=True, slots=True)
class _Partition:
    first_id: int
    rows: int
    low: Floats
    high: Floats
    mean: Floats
    outside: Floats
    reference: Array
    pooled: Array
    features: Array


class TargetBins:
    """Cuts arriving rows into partitions of the profile's size; rows keep their order of arrival."""

    def __init__(self, profile: SourceProfile) -> None:
        self._profile = profile
        self._partitions: deque[_Partition] = deque()
        self._open: list[Array] = []
        self._open_rows = 0
        self._open_id = 0

    def add(self, first_id: int, rows: Array) -> None:
        """Takes the features of items `first_id`, `first_id + 1`, ...; shape [items, features]."""
        if not self._open_rows:
            self._open_id = first_id
        self._open.append(rows)
        self._open_rows += len(rows)
        size = self._profile.partition_rows
        while self._open_rows >= size:
            joined = np.concatenate(self._open)
            self._partitions.append(self._bin(self._open_id, joined[:size]))
            self._open = [joined[size:]] if len(joined) > size else []
            self._open_rows -= size
            self._open_id = first_id + len(rows) - self._open_rows

    def evict(self, before_id: int) -> None:
        """Drops the partitions, also the open one, whose first item left the window."""
        if self._open_id < before_id:
            self._open, self._open_rows = [], 0
        while self._partitions and self._partitions[0].first_id < before_id:
            self._partitions.popleft()

    def statistics(self) -> TargetStatistics:
        """The window so far; before the first full partition the moments are those of the rows at hand."""
        parts = list(self._partitions)
        moments = parts
        if not parts and self._open_rows:
            rows = np.concatenate(self._open)
            moments = [self._bin(self._open_id, rows)]
        weights = np.array([part.rows for part in moments], dtype=np.float64)
        nothing = np.zeros(len(self._profile.low))

        def averaged(values: list[Floats]) -> Floats:
            return np.average(values, axis=0, weights=weights) if values else nothing

        def stacked(arrays: list[Array], *shape: int) -> Array:
            return np.stack(arrays) if arrays else np.zeros((0, *shape), dtype=np.int64)

        return TargetStatistics(
            items=int(weights.sum()),
            low=np.min([part.low for part in moments], axis=0) if moments else nothing,
            high=np.max([part.high for part in moments], axis=0) if moments else nothing,
            mean=averaged([part.mean for part in moments]),
            outside=averaged([part.outside for part in moments]),
            reference=stacked([part.reference for part in parts], BINS),
            pooled=stacked([part.pooled for part in parts], BINS + 2),
            feature_counts=stacked(
                [part.features for part in parts], len(self._profile.feature_edges), FEATURE_BINS
            ),
        )

    def _bin(self, first_id: int, rows: Array) -> _Partition:
        return _Partition(
            first_id=first_id,
            rows=len(rows),
            low=rows.min(axis=0).astype(np.float64),
            high=rows.max(axis=0).astype(np.float64),
            mean=rows.mean(axis=0, dtype=np.float64),
            outside=((rows < self._profile.low) | (rows > self._profile.high)).mean(axis=0),
            reference=reference_counts(rows),
            pooled=pooled_counts(rows, self._profile.low, self._profile.high),
            features=feature_counts(rows, self._profile.feature_edges),
        )
