"""Bins rows to counts. The profile builder and the live window share these, so both bin alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sidecar.core.profile import BINS
from sidecar.core.tensors import Array, Floats

# What is made of so many values at once stays in a core's cache, and leaves a model's data there.
_BLOCK_VALUES: Final = 1 << 15
# Counts of so many rows fit in a byte, in which they add up several times as fast.
_BLOCK_ROWS: Final = 255


def reference_counts(rows: Array) -> Array:
    """Flattens rows, min-max scales them by themselves, counts values in BINS equal bins.

    Args:
        rows: finite, shape [rows, features].

    Returns:
        int64 [BINS]; constant rows fall into the first bin.

    References:
        arXiv 2206.00188, partitions of the adaptivity measure.
    """
    low, high = np.float64(rows.min()), np.float64(rows.max())
    span = high - low or 1.0
    return sum((_bin((block - low) / span) for block in _blocks(rows)), np.zeros(BINS, dtype=np.int64))


def pooled_counts(rows: Array, low: Floats, high: Floats) -> Array:
    """Scales each feature by the source's range and counts all values together.

    Args:
        rows: finite, shape [rows, features].
        low: the source's least value of each feature [features].
        high: the source's greatest value of each feature [features].

    Returns:
        int64 [BINS + 2]; the first and last count values below and above the source's range.
    """
    span = np.where(high > low, high - low, 1.0)
    least, greatest = -_not_above(-low, rows.dtype), _not_above(high, rows.dtype)
    counts = np.zeros(BINS + 2, dtype=np.int64)
    for block in _blocks(rows):
        below, above = block < least, block > greatest
        unit = (block - low) / span
        np.copyto(unit, 0, where=below | above)
        outside = np.array([np.count_nonzero(below), np.count_nonzero(above)])
        counts[1:-1] += _bin(unit)
        counts[1] -= outside.sum()
        counts[[0, -1]] += outside
    return counts


def feature_counts(rows: Array, edges: Floats) -> Array:
    """Counts each feature's values between its own edges.

    Args:
        rows: finite, shape [rows, features].
        edges: ascending inner edges, shape [features, bins - 1]; or [0, bins - 1] to count nothing.

    Returns:
        int64 [features, bins]; bin b holds edges[b-1] < value <= edges[b], the outer ones are open.
    """
    limits = _not_above(edges.T[:, None], rows.dtype)
    beyond = np.zeros(edges.T.shape, dtype=np.int64)
    for block in _blocks(rows):
        beyond += (block[:, : len(edges)] > limits).view(np.uint8).sum(axis=1, dtype=np.uint8)
    rows_of_each = np.full((len(edges), 1), len(rows))
    return -np.diff(beyond.T, axis=1, prepend=rows_of_each, append=0)


def _blocks(rows: Array) -> Iterator[Array]:
    step = min(max(_BLOCK_VALUES // max(rows.shape[1], 1), 1), _BLOCK_ROWS)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _not_above(limits: Floats, dtype: np.dtype[np.generic]) -> Array:
    """The greatest values of a type that are not above limits: what is above one is above the other.

    So that values need not become float64 to be compared with them.
    """
    with np.errstate(over="ignore"):
        near = limits.astype(dtype)
        return np.where(near > limits, np.nextafter(near, -np.inf, dtype=dtype), near)


def _bin(unit: Floats) -> Array:
    """Counts values of [0, 1] in BINS equal bins, 1 in the last, as numpy.histogram does."""
    return np.bincount(np.minimum((unit * BINS).astype(np.int64), BINS - 1).ravel(), minlength=BINS)
