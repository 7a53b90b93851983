"""Which candidates no other one beats everywhere: the frontier, and the layers behind it.

One point dominates another when it is at least as good in every objective and better in one. Equal
points do not dominate each other. Everything is done on ranks within each objective: they have
no rounding, take two bytes, and compare several at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sidecar.core.preference.points import gains
from sidecar.core.tensors import Array, Floats

# Pairs that are compared outright: below this, parting the points costs more than it saves, and
# temporaries (one byte a pair) stay in the processor's caches.
_PAIRS: Final = 1 << 17
_POINTS: Final = 1 << 8
# Looking for one more point that dominates many stops when it dominated fewer than one in this many.
_WORTH: Final = 16


def nondominated(points: Array, directions: Sequence[int]) -> Array:
    """Marks the points that no other point dominates.

    Points that a few outstanding ones dominate are taken out first. The rest is parted in halves by the
    first objective; only the better half can dominate the other, in the objectives that are left.
    n log(n)^(objectives - 2) steps at worst, memory in proportion to n.

    Args:
        points: shape [candidates, objectives].
        directions: +1 where higher is better, -1 where lower is; one an objective.

    Returns:
        bool, shape [candidates].

    Raises:
        InvalidError: an axis is empty, a value is not finite, or a direction is missing.

    References:
        Kung, Luccio & Preparata 1975.
    """
    values = np.ascontiguousarray(gains(points, directions).T)
    if values.shape[1] <= _POINTS:
        reached = _at_least(values, values)
        return np.asarray(~(reached & ~reached.T).any(axis=1))
    alive = _not_obviously_dominated(values)
    ranks, places = _ordered(values[:, alive])
    answers = np.zeros(values.shape[1], dtype=bool)
    answers[alive] = _front(ranks)[places]
    return answers


def pareto_ranks(points: Array, directions: Sequence[int]) -> Array:
    """Numbers the layers: 1 for the nondominated, 2 for those that are so without the first, and so on.

    n^2 / 2 comparisons, memory in proportion to n.

    Args:
        points: shape [candidates, objectives].
        directions: +1 where higher is better, -1 where lower is; one an objective.

    Returns:
        int, shape [candidates].

    Raises:
        InvalidError: see `nondominated`.

    References:
        Zhang, Tian, Cheng & Jin 2015, efficient non-dominated sort.
    """
    ranks, places = _ordered(np.ascontiguousarray(gains(points, directions).T))
    count = ranks.shape[1]
    layers = np.ones(count, dtype=np.int64)
    step = max(_PAIRS // count, 1)
    for start in range(0, count, step):
        end = min(start + step, count)
        # Whoever dominates a point stands before it; one's layer lies behind the last of theirs.
        dominating = _at_least(ranks[:, start:end], ranks[:, :end])
        for place in range(start, end):
            behind = layers[:place][dominating[place - start, :place]]
            if behind.size:
                layers[place] = behind.max() + 1
    return layers[places]


def _not_obviously_dominated(values: Floats) -> Array:
    """Numbers of the points that are left when those with the greatest sums took out what they dominate.

    Args:
        values: more is better, shape [objectives, candidates].
    """
    # Halves, as the whole span of two numbers may be more than a float holds.
    span = values.max(axis=1) / 2 - values.min(axis=1) / 2
    score = (1 / np.where(span > 0, span, 1.0) / len(values)) @ (values / 2)
    alive = np.arange(values.shape[1])
    left = values
    while True:
        best = left[:, score.argmax()]
        inside = (left <= best[:, None]).all(axis=0)
        equal = (left == best[:, None]).all(axis=0)
        lost = inside & ~equal
        score[equal] = -np.inf
        if lost.any():
            alive, left, score = alive[~lost], left[:, ~lost], score[~lost]
        if lost.sum() * _WORTH < len(alive):
            return alive


def _ordered(values: Floats) -> tuple[Array, Array]:
    """Ranks of the different points, so ordered that no point is dominated by a later one.

    Args:
        values: more is better, shape [objectives, candidates].

    Returns:
        ranks, higher is better, unsigned int [objectives, different], and where in it each candidate
        stands [candidates].
    """
    count = values.shape[1]
    ranks = np.empty(values.shape, dtype=np.min_scalar_type(count))
    for row, objective in zip(ranks, values, strict=True):
        order = np.argsort(objective)
        ascending = objective[order]
        row[order[0]] = 0
        row[order[1:]] = np.cumsum(ascending[1:] != ascending[:-1])
    order = np.lexsort(ranks[::-1])[::-1]
    ordered = ranks[:, order]
    new = np.ones(count, dtype=bool)
    new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    places = np.empty(count, dtype=np.int64)
    places[order] = np.cumsum(new) - 1
    return ordered[:, new], places


def _front(ranks: Array) -> Array:
    """Marks the nondominated of different points that stand in lexicographic order, best first.

    Args:
        ranks: shape [objectives, n].
    """
    objectives, count = ranks.shape
    if objectives == 1:
        return np.asarray(np.arange(count) == 0)
    if objectives == 2:  # noqa: PLR2004 - the second must exceed all before
        return np.append(True, ranks[1, 1:] > np.maximum.accumulate(ranks[1])[:-1])
    if count <= _POINTS:
        earlier = np.arange(count)[:, None] < np.arange(count)
        return np.asarray(~(earlier & _at_least(ranks[1:], ranks[1:]).T).any(axis=0))
    middle = count // 2
    keep = np.zeros(count, dtype=bool)
    keep[:middle] = _front(ranks[:, :middle])
    rest = middle + np.flatnonzero(~_beaten(ranks[1:, middle:], ranks[1:, :middle][:, keep[:middle]]))
    if rest.size:
        keep[rest] = _front(ranks[:, rest])
    return keep


def _beaten(these: Array, those: Array) -> Array:
    """Marks which of `these` one of `those` reaches in every objective.

    Args:
        these: shape [objectives, n].
        those: shape [objectives, m].

    Returns:
        bool, shape [n].
    """
    objectives, count = these.shape
    if not count or not those.shape[1]:
        return np.zeros(count, dtype=bool)
    if objectives == 1:
        return np.asarray(these[0] <= those[0].max())
    if objectives == 2:  # noqa: PLR2004 - the best second of all that have the first
        order = np.argsort(those[0], kind="stable")
        best = np.maximum.accumulate(those[1][order[::-1]])[::-1]
        place = np.searchsorted(those[0][order], these[0])
        reached = best[np.minimum(place, len(best) - 1)] >= these[1]
        return np.asarray(reached & (place < len(best)))
    if count * those.shape[1] <= _PAIRS:
        return np.asarray(_at_least(these, those).any(axis=1))
    cut = np.partition(these[0], count // 2)[count // 2]
    high, able = these[0] >= cut, those[0] >= cut
    if high.all():
        # Half of them or more share the least value: they stay with those that only reach that.
        high, able = these[0] > cut, those[0] > cut
        if not high.any():
            return _beaten(these[1:], those[1:, those[0] >= cut])
    answers = np.zeros(count, dtype=bool)
    answers[high] = _beaten(these[:, high], those[:, able])
    low = np.flatnonzero(~high)
    answers[low] = _beaten(these[1:, low], those[1:, able])
    low = low[~answers[low]]
    answers[low] = _beaten(these[:, low], those[:, ~able])
    return answers


def _at_least(these: Array, those: Array) -> Array:
    """Tells for all pairs whether `those` reach `these` in every objective; bool [these, those]."""
    answers = those[0] >= these[0][:, None]
    for one, other in zip(these[1:], those[1:], strict=True):
        answers &= other >= one[:, None]
    return np.asarray(answers)
