"""Bins the window's inputs as one candidate's profile does; each partition is binned once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sidecar.core.evidence import TargetStatistics
from sidecar.core.profile import BINS, FEATURE_BINS, SourceProfile
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.fourier import mean_fourier
from sidecar.estimation.measures.histograms import feature_counts, pooled_counts, reference_counts
from sidecar.estimation.measures.shift import standardised_shift
from sidecar.estimation.measures.words import word_counts


@dataclass(frozen=True, slots=True)
class _Partition:
    first_id: int
    rows: int
    low: Floats
    high: Floats
    mean: Floats
    variance: Floats
    outside: Floats
    reference: Array
    pooled: Array
    features: Array
    shift: float
    fourier: Floats
    words: Array


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that wait until their partition is full, with their numbers; candidates share the arrays."""

    ids: Array
    features: Array
    words: Array

    def since(self, start: int) -> _Rows:
        return _Rows(self.ids[start:], self.features[start:], self.words[start:])

    def until(self, end: int) -> _Rows:
        return _Rows(self.ids[:end], self.features[:end], self.words[:end])


class TargetBins:
    """Cuts arriving rows into partitions of the profile's size, in their order of arrival."""

    def __init__(self, profile: SourceProfile) -> None:
        self._profile = profile
        self._partitions: deque[_Partition] = deque()
        self._open: deque[_Rows] = deque()
        self._open_rows = 0
        # The bins of the waiting rows, with the numbers of the first and last row that they were made from.
        self._open_bin: tuple[tuple[int, int], _Partition] | None = None

    @property
    def oldest_id(self) -> float:
        """Number of the oldest item that is held; infinite if none is."""
        if self._partitions:
            return self._partitions[0].first_id
        return float(self._open[0].ids[0]) if self._open else math.inf

    def add(self, ids: Array, features: Array, words: Array) -> None:
        """Takes items.

        Args:
            ids: the items' numbers, ascending, above the numbers of all earlier items.
            features: the items' features [items, d].
            words: a list of `str` for each item [items]; [0] if the profile has no words.
        """
        rows = _Rows(ids, features, words)
        size = self._profile.partition_rows
        while self._open_rows + len(rows.ids) >= size:
            left = size - self._open_rows
            self._partitions.append(self._bin([*self._open, rows.until(left)]))
            self._open.clear()
            self._open_rows = 0
            rows = rows.since(left)
        if len(rows.ids):
            self._open.append(rows)
            self._open_rows += len(rows.ids)

    def evict(self, before_id: int) -> None:
        """Drops each partition whose first item is before `before_id`, and each waiting row that is."""
        while self._open and self._open[0].ids[0] < before_id:
            oldest = self._open.popleft()
            kept = oldest.since(int(np.searchsorted(oldest.ids, before_id)))
            self._open_rows += len(kept.ids) - len(oldest.ids)
            if len(kept.ids):
                self._open.appendleft(kept)
        while self._partitions and self._partitions[0].first_id < before_id:
            self._partitions.popleft()

    def statistics(self) -> TargetStatistics:
        """Returns the window's statistics; moments and histogram include the waiting rows."""
        parts = list(self._partitions)
        moments = [*parts, *self._waiting()]
        weights = np.array([part.rows for part in moments], dtype=np.float64)
        nothing = np.zeros(len(self._profile.low))

        def averaged(values: list[Floats]) -> Floats:
            return np.average(values, axis=0, weights=weights) if values else nothing

        def stacked(arrays: list[Array], *shape: int) -> Array:
            return np.stack(arrays) if arrays else np.zeros((0, *shape), dtype=np.int64)

        mean = averaged([part.mean for part in moments])
        return TargetStatistics(
            items=int(weights.sum()),
            low=np.min([part.low for part in moments], axis=0) if moments else nothing,
            high=np.max([part.high for part in moments], axis=0) if moments else nothing,
            mean=mean,
            variance=averaged([part.variance + (part.mean - mean) ** 2 for part in moments]),
            outside=averaged([part.outside for part in moments]),
            reference=stacked([part.reference for part in parts], BINS),
            pooled=stacked([part.pooled for part in parts], BINS + 2),
            feature_counts=stacked(
                [part.features for part in parts], len(self._profile.feature_edges), FEATURE_BINS
            ),
            histogram=sum(
                (part.features for part in moments),
                np.zeros((len(self._profile.feature_edges), FEATURE_BINS), dtype=np.int64),
            ),
            shifts=np.array([part.shift for part in parts]),
            fourier=stacked([part.fourier for part in parts], len(self._profile.fourier)),
            words=stacked([part.words for part in parts], 0),
        )

    def _waiting(self) -> list[_Partition]:
        """Returns the waiting rows as one smaller partition; empty if no rows wait."""
        if not self._open:
            return []
        known = self._open_bin
        key = self._open[0].ids[0], self._open[-1].ids[-1]
        if known is None or known[0] != key:
            known = self._open_bin = key, self._bin(self._open)
        return [known[1]]

    def _bin(self, parts: Collection[_Rows]) -> _Partition:
        profile = self._profile
        rows = np.concatenate([part.features for part in parts])
        words = np.concatenate([part.words for part in parts])
        mean = rows.mean(axis=0, dtype=np.float64)
        return _Partition(
            first_id=int(next(iter(parts)).ids[0]),
            rows=len(rows),
            low=rows.min(axis=0).astype(np.float64),
            high=rows.max(axis=0).astype(np.float64),
            mean=mean,
            variance=rows.var(axis=0, dtype=np.float64),
            outside=((rows < profile.low) | (rows > profile.high)).mean(axis=0),
            reference=reference_counts(rows),
            pooled=pooled_counts(rows, profile.low, profile.high),
            features=feature_counts(rows, profile.feature_edges),
            shift=float(standardised_shift(mean, profile.mean, profile.variance)),
            fourier=mean_fourier(rows, profile.mean, profile.variance)
            if len(profile.fourier)
            else np.empty(0),
            words=word_counts(words, profile.words) if profile.words else np.empty(0, dtype=np.int64),
        )
