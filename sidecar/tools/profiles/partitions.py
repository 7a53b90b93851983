"""Draws partitions and counts their histograms, as `sidecar.estimation.measures.histograms` would at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.profile import BINS, FEATURE_BINS
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.histograms import feature_counts, pooled_counts

_PENDING_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows drawn at random without replacement, each into one group.

    Attributes:
        rows: ascending row numbers from 0.
        groups: the group of each.
    """

    rows: Array
    groups: Array

    @classmethod
    def random(cls, generator: np.random.Generator, total: int, groups: int, size: int) -> Draw:
        """Draws `groups` groups of `size` rows out of `total`."""
        drawn = generator.choice(total, groups * size, replace=False)
        order = np.argsort(drawn)
        return cls(drawn[order], order // size)

    def places(self, first: int, rows: int) -> tuple[Array, Array]:
        """Where the drawn ones stand among `rows` rows that start at row number `first`; their groups."""
        start, stop = np.searchsorted(self.rows, [first, first + rows])
        return self.rows[start:stop] - first, self.groups[start:stop]

    def within(self, first: int, features: Array) -> tuple[Array, Array]:
        """The drawn ones among rows that start at row number `first`, and their groups."""
        places, groups = self.places(first, len(features))
        return features[places], groups


class PartitionRanges:
    """The least and the greatest value of each partition, over batches."""

    def __init__(self, partitions: int) -> None:
        self.low = np.full(partitions, np.inf)
        self.high = np.full(partitions, -np.inf)

    def add(self, rows: Array, groups: Array) -> None:
        """Adds rows [rows, d] of these partitions [rows]."""
        np.minimum.at(self.low, groups, rows.min(axis=1))
        np.maximum.at(self.high, groups, rows.max(axis=1))


class PartitionCounts:
    """The histograms of every partition, over batches; see `SourceProfile` for their shapes.

    Args:
        low: the source's least value of each feature [d].
        high: the source's greatest value of each feature [d].
        edges: inner quantile edges [d, FEATURE_BINS - 1], or [0, FEATURE_BINS - 1] for none.
        ranges: ranges of the partitions.
    """

    def __init__(self, low: Floats, high: Floats, edges: Floats, ranges: PartitionRanges) -> None:
        partitions = len(ranges.low)
        self.reference = np.zeros((partitions, BINS), dtype=np.int64)
        self.pooled = np.zeros((partitions, BINS + 2), dtype=np.int64)
        self.features = np.zeros((partitions, len(edges), FEATURE_BINS), dtype=np.int32)
        self._low, self._high, self._edges, self._ranges = low, high, edges, ranges
        self._pending: list[tuple[Array, Array]] = []
        self._pending_bytes = 0

    def add(self, rows: Array, groups: Array) -> None:
        """Adds rows [rows, d] of these partitions [rows]; counted at the next `flush` at the latest."""
        self._pending.append((rows, groups))
        self._pending_bytes += rows.nbytes
        if self._pending_bytes > _PENDING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Counts what was added. Rows wait because few large counts are cheaper than many small ones."""
        if not self._pending:
            return
        rows = np.concatenate([rows for rows, _ in self._pending])
        groups = np.concatenate([groups for _, groups in self._pending])
        self._pending, self._pending_bytes = [], 0
        for group in np.unique(groups):
            part = rows[groups == group]
            # Scaled by the partition's own range, no value lies outside: the pooled kernel is the
            # reference one, but adds up over parts of a partition.
            own = self._ranges.low[group : group + 1], self._ranges.high[group : group + 1]
            self.reference[group] += pooled_counts(part, *own)[1:-1]
            self.pooled[group] += pooled_counts(part, self._low, self._high)
            if len(self._edges):
                self.features[group] += feature_counts(part, self._edges)
