"""Free disposal hull (FDH): how much less a candidate could cost, by comparison with single others.

Whoever gives at least as much of every good may stand in for a candidate. Its efficiency theta is the
least share of all its costs at once with which one of those makes do: 1 on the frontier, 0.4
where another one gives as much for 40 % of every cost. Without goods, all may stand in. Without costs
theta turns round: another one gives 1 / theta times as much of every good.

References:
    Deprins, Simar & Tulkens 1984; the version without costs is theirs with a constant cost and outputs
    that grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import sides
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated

# Pairs that are compared at once: temporaries of 128 kB stay in the processor's caches.
_PAIRS: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class FreeDisposal:
    """Efficiencies of candidates.

    Attributes:
        theta: in (0, 1], shape [candidates].
        peer: who stands in at that share, on the frontier; int, shape [candidates].
        nondominated: who is on the frontier; bool, shape [candidates].
    """

    theta: Floats
    peer: Array
    nondominated: Array


def free_disposal(points: Array, directions: Sequence[int]) -> FreeDisposal:
    """Finds every candidate's efficiency and whom it is owed to.

    Candidates x size of the frontier comparisons, in blocks of bounded size.

    Args:
        points: shape [candidates, objectives]; costs are above 0, and without costs goods are.
        directions: +1 for a good, -1 for a cost; one an objective.

    Raises:
        InvalidError: see `sidecar.core.preference.points.sides`.
    """
    goods, costs = _as_costs(points, directions)
    # What another point dominates is never needed: that one gives as much and costs no more.
    best = nondominated(points, directions)
    front = np.flatnonzero(best)
    theta = np.empty(len(costs))
    peer = np.empty(len(costs), dtype=np.int64)
    for rows, ratios in _ratios(goods, costs, front):
        place = ratios.argmin(axis=1)
        theta[rows] = ratios[np.arange(len(place)), place]
        peer[rows] = front[place]
    return FreeDisposal(theta, peer, best)


def order_m(points: Array, directions: Sequence[int], m: int) -> Floats:
    """Expected efficiency against m of those who may stand in, drawn with replacement: less for outliers.

    In closed form: among N sorted ratios the least of m drawn ones is the i-th with probability
    ((N - i + 1) / N)^m - ((N - i) / N)^m.

    Args:
        points: shape [candidates, objectives]; costs are above 0, and without costs goods are.
        directions: +1 for a good, -1 for a cost; one an objective.
        m: >= 1; for large m the answer is that of `free_disposal`.

    Returns:
        above 0, and above 1 where most others cost more; shape [candidates].

    Raises:
        InvalidError: m is below 1; see `sidecar.core.preference.points.sides`.

    References:
        Cazals, Florens & Simar 2002.
    """
    if m < 1:
        raise InvalidError(f"m is {m}: compare with at least 1 candidate")
    goods, costs = _as_costs(points, directions)
    expected = np.empty(len(costs))
    for rows, ratios in _ratios(goods, costs, np.arange(len(costs))):
        ratios.sort(axis=1)
        able = np.isfinite(ratios)
        count = able.sum(axis=1, keepdims=True)
        left = np.maximum(count - np.arange(ratios.shape[1] + 1), 0) / count
        expected[rows] = (np.where(able, ratios, 0.0) * -np.diff(left**m, axis=1)).sum(axis=1)
    return expected


def _as_costs(points: Array, directions: Sequence[int]) -> tuple[Floats, Floats]:
    """Goods and costs; where all are goods, their reciprocals are the costs of nothing."""
    goods, costs = sides(points, directions)
    return (goods, costs) if costs.shape[1] else (goods[:, :0], 1 / goods)


def _ratios(goods: Floats, costs: Floats, others: Array) -> Iterator[tuple[slice, Floats]]:
    """Yields for blocks of rows the share of its costs with which each of the others stands in for a row.

    Args:
        goods: shape [candidates, goods].
        costs: > 0, shape [candidates, costs].
        others: numbers of candidates.

    Yields:
        the rows and their ratios [rows, others]; infinite where the other one gives less.
    """
    step = max(_PAIRS // len(others), 1)
    for start in range(0, len(costs), step):
        rows = slice(start, start + step)
        ratios = costs[others, 0] / costs[rows, :1]
        for cost in costs.T[1:]:
            np.maximum(ratios, cost[others] / cost[rows, None], out=ratios)
        less = np.zeros(ratios.shape, dtype=bool)
        for good in goods.T:
            less |= good[others] < good[rows, None]
        yield rows, np.where(less, np.inf, ratios)
