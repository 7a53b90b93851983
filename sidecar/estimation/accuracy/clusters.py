"""Groups rows by distance: into a given number of clusters, or into as many as would be found again."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats

# With less, two halves of the items do not agree on what belongs together. The paper's value.
_FOUND_AGAIN: Final = 0.8
# A smaller kind of traffic would leave too few items of a window to be ranked by.
_LEAST_SHARE: Final = 0.05
_STARTS: Final = 8
_STEPS: Final = 50


def cluster_centres(rows: Floats, most: int, rng: np.random.Generator) -> Floats:
    """Finds the most clusters, up to `most`, that one half of the rows predicts of the other.

    Args:
        rows: items by features [n, d], at least two; of equal units.
        most: clusters.
        rng: for the halves and the starts.

    Returns:
        centres [k, d], 1 <= k <= most.

    References:
        Tibshirani & Walther 2005 (prediction strength).
    """
    shuffled = rows[rng.permutation(len(rows))]
    one, other = shuffled[::2], shuffled[1::2]
    for clusters in range(min(most, len(other)), 1, -1):
        predicted = nearest_centre(other, k_means(one, np.ones(len(one)), clusters, rng))
        own = nearest_centre(other, k_means(other, np.ones(len(other)), clusters, rng))
        if _strength(own, predicted, clusters) >= _FOUND_AGAIN:
            return k_means(rows, np.ones(len(rows)), clusters, rng)
    return np.asarray(rows.mean(axis=0, keepdims=True))


def k_means(rows: Floats, weights: Array, clusters: int, rng: np.random.Generator) -> Floats:
    """The centres with the least sum of squares of several runs; [clusters, d].

    Args:
        rows: [n, d], at least one.
        weights: how many items each row stands for, at least 1 [n].
        clusters: how many.
        rng: for the starts.

    References:
        Lloyd 1982; Arthur & Vassilvitskii 2007 for the starts.
    """
    tries = [_run(rows, weights, clusters, rng) for _ in range(_STARTS)]
    return min(tries, key=lambda centres: float(weights @ _squares(rows, centres).min(axis=1)))


def nearest_centre(rows: Floats, centres: Floats) -> Array:
    """Number of the nearest centre of each row, int64 [n]; of equally near ones the first."""
    return np.asarray(_squares(rows, centres).argmin(axis=1))


def matched(centres: Floats, known: Floats) -> Array:
    """Pairs new centres with known ones, the nearest pair first.

    Args:
        centres: [k, d].
        known: [m, d].

    Returns:
        for each centre the number of its known one, each at most once; -1 where none is left. int64 [k].
    """
    answer = np.full(len(centres), -1)
    squares = _squares(centres, known)
    for _ in range(min(squares.shape)):
        centre, old = np.unravel_index(squares.argmin(), squares.shape)
        answer[centre] = old
        squares[centre], squares[:, old] = np.inf, np.inf
    return answer


def _strength(own: Array, predicted: Array, clusters: int) -> float:
    """Of the pairs in each own cluster, the share that is predicted to be together; the least one, or 0."""
    shares = []
    # One item alone holds no pair that could be found again.
    least = max(_LEAST_SHARE * len(own), 2)
    for cluster in range(clusters):
        counts = np.bincount(predicted[own == cluster])
        size = counts.sum()
        if size < least:
            return 0.0
        shares.append(float((counts * (counts - 1)).sum() / (size * (size - 1))))
    return min(shares)


def _run(rows: Floats, weights: Array, clusters: int, rng: np.random.Generator) -> Floats:
    """One run of Lloyd's steps from starts that are spread; centres [clusters, d]."""
    centres = rows[rng.choice(len(rows), p=weights / weights.sum(), size=1)]
    while len(centres) < clusters:
        apart = _squares(rows, centres).min(axis=1) * weights
        total = apart.sum()
        chosen = rng.choice(len(rows), p=apart / total) if total > 0 else 0
        centres = np.concatenate([centres, rows[[chosen]]])
    groups = np.full(len(rows), -1)
    for _ in range(_STEPS):
        before, groups = groups, nearest_centre(rows, centres)
        if (before == groups).all():
            break
        member = (groups == np.arange(clusters)[:, None]) * weights
        sizes = member.sum(axis=1)[:, None]
        centres = np.where(sizes > 0, member @ rows / np.maximum(sizes, 1), centres)
    return np.asarray(centres)


def _squares(rows: Floats, centres: Floats) -> Floats:
    """Squared distances, shape [rows, centres]."""
    cross = rows @ centres.T
    squares = (rows**2).sum(axis=1)[:, None] - 2 * cross + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))
