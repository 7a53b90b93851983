"""Jensen-Shannon divergence (JSD), one pair at a time and all pairs at once; nats throughout.

With H2 = |sqrt(p) - sqrt(q)|^2 / 2 = 1 - sqrt(p).sqrt(q) it holds that ln2 * H2 <= JSD <= H2. One
matrix product gives all H2, which settle most comparisons with a threshold; only the pairs
between the two bounds need logarithms. The answers are those of the plain definition, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

LN2 = math.log(2)
# Rounding stays under this; a value nearer to the threshold goes to the next exacter method.
_MARGIN = 1e-12
# Temporaries of 256 kB stay in the processor's caches.
_CHUNK_VALUES = 1 << 15


def jsd(p: Array, q: Array) -> Floats:
    """Divergence of histograms along the last axis, by the plain definition.

    Args:
        p: counts or shares, shape [..., bins]; each sums to more than 0.
        q: second distribution, as `p`; leading axes broadcast against those of `p`.

    Returns:
        nats, 0 to ln 2, shape of the broadcast leading axes.

    Raises:
        InvalidError: a histogram is empty.

    References:
        Lin 1991, with natural logarithms.
    """
    return _jsd(_shares(p), _shares(q))


def matches(sources: Array, targets: Array, tau: float | Floats) -> Array:
    """Tells for all pairs whether their divergence is under a threshold.

    Memory beyond the answer is bounded, whatever the number of pairs.

    Args:
        sources: counts, shape [sources, bins]; each sums to more than 0.
        targets: counts, shape [targets, bins]; each sums to more than 0.
        tau: threshold, nats; one, or one a source.

    Returns:
        bool, shape [sources, targets]: `jsd(source, target) < tau`.

    Raises:
        InvalidError: a histogram is empty.
    """
    limits = np.broadcast_to(np.asarray(tau, dtype=np.float64), len(sources))
    found = np.empty((len(sources), len(targets)), dtype=bool)
    q = _shares(targets)
    roots = np.sqrt(q).T
    for part in _chunks(len(sources), _CHUNK_VALUES // sum(targets.shape)):
        p, limit = _shares(sources[part]), limits[part]
        hellinger = 1 - np.sqrt(p) @ roots
        under = hellinger < limit[:, None] - _MARGIN
        open_pairs = np.nonzero(~under & (LN2 * hellinger < limit[:, None] + _MARGIN))
        if len(open_pairs[0]):
            under[open_pairs] = _under(p, q, limit, *open_pairs)
        found[part] = under
    return found


def squared_hellinger(sources: Array, targets: Array) -> Floats:
    """Squared Hellinger distances H2 of all pairs; no logarithms, one matrix product.

    Args:
        sources: counts, shape [sources, bins]; each sums to more than 0.
        targets: counts, shape [targets, bins]; each sums to more than 0.

    Returns:
        0 to 1, shape [sources, targets].

    Raises:
        InvalidError: a histogram is empty.
    """
    return np.asarray(np.clip(1 - unit_roots(sources) @ unit_roots(targets).T, 0, 1))


def unit_roots(counts: Array) -> Floats:
    """Square roots of shares: unit vectors whose distance is sqrt(2 H2).

    Args:
        counts: shape [..., bins]; each sums to more than 0.

    Raises:
        InvalidError: a histogram is empty.
    """
    return np.sqrt(_shares(counts))


def pairwise_jsd(counts: Array) -> Floats:
    """Divergences between all pairs of different histograms.

    Args:
        counts: shape [histograms, bins].

    Returns:
        nats, shape [histograms * (histograms - 1) / 2].
    """
    rows = [jsd(counts[first], counts[first + 1 :]) for first in range(len(counts) - 1)]
    return np.concatenate(rows) if rows else np.zeros(0)


def _under(p: Floats, q: Floats, limit: Floats, rows: Array, columns: Array) -> Array:
    """Compares the given pairs through JSD = ln 2 + (sum p ln p + sum q ln q - sum s ln s) / 2, s = p + q."""
    # Changes no share that is not 0, and takes the logarithm of 0 out of all pairs at once.
    positive = q + np.finfo(np.float64).tiny
    own_p, own_q = _times_log(p, p).sum(axis=1), _times_log(q, q).sum(axis=1)
    answers = np.empty(len(rows), dtype=bool)
    for part in _chunks(len(rows), _CHUNK_VALUES // q.shape[1]):
        i, j = rows[part], columns[part]
        both = p[i]
        both += positive[j]
        values = LN2 + (own_p[i] + own_q[j] - np.einsum("ab,ab->a", both, np.log(both))) / 2
        near = np.nonzero(np.abs(values - limit[i]) <= _MARGIN)[0]
        values[near] = _jsd(p[i[near]], q[j[near]])
        answers[part] = values < limit[i]
    return answers


def _jsd(p: Floats, q: Floats) -> Floats:
    middle = (p + q) / 2
    terms = _times_log(p, p / _no_zero(middle)) + _times_log(q, q / _no_zero(middle))
    return np.asarray(np.clip(terms.sum(axis=-1) / 2, 0, LN2))


def _times_log(factor: Floats, of: Floats) -> Floats:
    """Takes factor * ln(of), with 0 ln 0 = 0."""
    return factor * np.log(_no_zero(of))


def _no_zero(values: Floats) -> Floats:
    return np.maximum(values, np.finfo(np.float64).tiny)


def _shares(counts: Array) -> Floats:
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise InvalidError("a histogram is empty; leave out partitions without rows before comparing")
    return np.asarray(values / total)


def _chunks(length: int, size: int) -> Iterator[slice]:
    step = max(size, 1)
    return (slice(start, start + step) for start in range(0, length, step))
