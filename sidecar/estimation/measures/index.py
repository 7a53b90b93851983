"""An index of stored partitions: which of very many may match, without comparing each.

Locality-sensitive hashing on x = sqrt(p), where two histograms lie sqrt(2 H2) apart and JSD lies
between ln 2 H2 and H2. Stored partitions that share a bucket with a target in any table are compared
exactly: nothing false is found, but what shares no bucket is missed.

It hardly pays, as the exact pass of `sidecar.estimation.measures.divergence` takes 50 to 100 ns a pair:
where about one stored partition of a hundred matches, from 100,000 of them on, for twice the speed and a
fifth of the matches missed; never at adaptivity's threshold of 0.1, which a sixth of them meets. An
endpoint holds at most 256 x 200, so no measure uses the index. See `python -m benchmarks.index`.

References:
    arXiv 2206.00188, h(x) = ceil((a.x + b) / r); Datar et al. 2004.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Array
from sidecar.estimation.measures.divergence import matches, unit_roots

# Temporaries of 32 MB.
_CHUNK_VALUES: Final = 1 << 23


class PartitionIndex:
    """Stored partitions in hash tables; takes 12 bytes a partition and table beside the counts.

    Args:
        sources: counts, shape [sources, bins]; each sums to more than 0. Not copied.
        tables: more of them miss less and compare more.
        hashes: values that make a bucket of a table; more of them miss more and compare less.
        width: r, in units of the distance; buckets several times as wide as what matches.
        rng: for the projections.

    Raises:
        InvalidError: a histogram is empty.
    """

    def __init__(
        self, sources: Array, *, tables: int, hashes: int, width: float, rng: np.random.Generator
    ) -> None:
        self._sources = sources
        self._width = width
        self._directions = rng.standard_normal((sources.shape[1], tables * hashes), dtype=np.float32)
        self._offsets = rng.uniform(0, width, tables * hashes).astype(np.float32)
        # Odd factors make one number of a bucket's values; two buckets of one number cost a comparison.
        self._factors = rng.integers(1 << 63, size=(tables, hashes), dtype=np.uint64) * 2 + 1
        buckets = self._buckets(sources)
        self._order = np.argsort(buckets, axis=1).astype(np.int32)
        self._sorted = np.take_along_axis(buckets, self._order, axis=1)

    def matching(self, targets: Array, tau: float) -> list[Array]:
        """Finds stored partitions whose divergence from a target is under a threshold; not all of them.

        Args:
            targets: counts, shape [targets, bins]; each sums to more than 0.
            tau: threshold, nats.

        Returns:
            of each target, ascending numbers of matching partitions.

        Raises:
            InvalidError: a histogram is empty.
        """
        answers = []
        for target, buckets in zip(targets, self._buckets(targets).T, strict=True):
            alike = [
                order[np.searchsorted(stored, bucket) : np.searchsorted(stored, bucket, side="right")]
                for stored, order, bucket in zip(self._sorted, self._order, buckets, strict=True)
            ]
            near = np.unique(np.concatenate(alike))
            answers.append(near[matches(self._sources[near], target[None], tau)[:, 0]])
        return answers

    def _buckets(self, counts: Array) -> Array:
        """The bucket of each histogram in each table, uint64 [tables, histograms]."""
        tables, hashes = self._factors.shape
        found = np.empty((tables, len(counts)), dtype=np.uint64)
        step = max(_CHUNK_VALUES // (tables * hashes + counts.shape[1]), 1)
        for start in range(0, len(counts), step):
            roots = unit_roots(counts[start : start + step]).astype(np.float32)
            places = np.ceil((roots @ self._directions + self._offsets) / self._width)
            values = places.astype(np.int64).view(np.uint64).reshape(-1, tables, hashes)
            found[:, start : start + step] = (values * self._factors).sum(axis=2).T
        return found
