"""Bins rows to counts. The profile builder and the live window share these, so both bin alike."""

from __future__ import annotations

import numpy as np

from sidecar.domain.profile import BINS
from sidecar.domain.tensors import Array, Floats


def reference_counts(rows: Array) -> Array:
    """Flattens rows, min-max scales them by themselves, counts values in BINS equal bins.

    Args:
        rows: finite, shape [rows, features].

    Returns:
        int64 [BINS]; constant rows fall into the first bin.

    References:
        arXiv 2206.00188, partitions of the adaptivity measure.
    """
    flat = rows.ravel().astype(np.float64)
    low, high = flat.min(), flat.max()
    return _bin(np.zeros_like(flat) if high == low else (flat - low) / (high - low))


def pooled_counts(rows: Array, low: Floats, high: Floats) -> Array:
    """Scales each feature by the source's range and counts all values together.

    Args:
        rows: finite, shape [rows, features].
        low: the source's least value of each feature [features].
        high: the source's greatest value of each feature [features].

    Returns:
        int64 [BINS + 2]; the first and last count values below and above the source's range.
    """
    values = rows.astype(np.float64)
    span = np.where(high > low, high - low, 1.0)
    scaled = ((values - low) / span).ravel()
    below = int(np.count_nonzero(values < low))
    above = int(np.count_nonzero(values > high))
    inside = _bin(scaled[((values >= low) & (values <= high)).ravel()])
    return np.concatenate([[below], inside, [above]])


def feature_counts(rows: Array, edges: Floats) -> Array:
    """Counts each feature's values between its own edges.

    Args:
        rows: finite, shape [rows, features].
        edges: ascending inner edges, shape [features, bins - 1]; or [0, bins - 1] to count nothing.

    Returns:
        int64 [features, bins]; bin b holds edges[b-1] < value <= edges[b], the outer ones are open.
    """
    beyond = np.stack([(rows[:, : len(edges)] > edge).sum(axis=0) for edge in edges.T], axis=1)
    rows_of_each = np.full((len(edges), 1), len(rows))
    return -np.diff(beyond, axis=1, prepend=rows_of_each, append=0)


def _bin(unit: Floats) -> Array:
    """Counts values of [0, 1] in BINS equal bins, 1 in the last, as numpy.histogram does."""
    return np.bincount(np.minimum((unit * BINS).astype(np.int64), BINS - 1), minlength=BINS)
