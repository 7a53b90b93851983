"""Data envelopment (DEA): how much less a candidate could cost, by comparison with mixtures of others.

Efficiency theta is the least share of all its costs at once with which a mixture of candidates gives as
much of every good. BCC mixes by shares that sum to 1, which reads as a split of the traffic: "60 % to
A and 40 % to B would beat it". CCR may also scale the mixture. Without goods, every candidate is taken
to give 1; without costs to cost 1, so that a mixture gives 1 / theta times as much of every good. In both
cases CCR and BCC are one.

    minimise theta, where sum_j l_j cost_ij <= theta cost_io and sum_j l_j good_rj >= good_ro,
    l >= 0; BCC: sum_j l_j = 1

It is solved by a revised simplex method, for many candidates at once: few rows (the objectives and the
sum), many columns. It starts at the candidate's peer of the free disposal hull.

References:
    Charnes, Cooper & Rhodes 1978 (CCR); Banker, Charnes & Cooper 1984 (BCC); Charnes 1952 (loosening).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import checked, refuse, sides
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.free_disposal import free_disposal

# Prices looked at in one go: temporaries of 8 MB.
_PRICES: Final = 1 << 20
# What a column must save, as a share of theta, to be worth taking: above rounding, below what is shown.
_WORTH: Final = 1e-11
# Entries of a column that are no more than rounding, relative to its greatest.
_NOTHING: Final = 1e-11
# Candidates on the frontier stand where many constraints meet, and steps there may go round in circles.
# Constraints are loosened by such a share, each by another one, so that no two meet; the answer is taken
# without it.
_LOOSE: Final = 1e-10
# Some tens are usual.
_STEPS: Final = 5_000
# Beyond such ratios within an objective rounding may hide the answer: at 1e17 it was seen to, at 1e12 not.
_SPAN: Final = 1e10
_GOLDEN: Final = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Envelopment:
    """Efficiencies of candidates, and the mixtures that show them.

    Attributes:
        theta: in (0, 1], shape [candidates].
        peers: who is in the mixture, largest share first; int, shape [candidates, most].
        weights: how much of each, shape [candidates, most]; 0 where there are fewer peers. They sum to 1
            unless CCR scales.
    """

    theta: Floats
    peers: Array
    weights: Floats


def envelopment(points: Array, directions: Sequence[int], scale: Literal["ccr", "bcc"]) -> Envelopment:
    """Finds every candidate's efficiency and the mixture that has it.

    Args:
        points: shape [candidates, objectives]; costs are above 0, goods for CCR and without costs, too.
        directions: +1 for a good, -1 for a cost; one an objective.
        scale: whether mixtures may be scaled ("ccr") or are convex ("bcc").

    Raises:
        InvalidError: a value is not finite or not above 0 where it has to be; or values of an objective
            differ so much in size that rounding may hide the answer.
    """
    goods, costs = sides(points, directions)
    values = checked(points, directions)
    if scale == "ccr":
        refuse(values, values <= 0, "CCR scales such values: give them above 0, or take BCC")
    sizes = np.where(values == 0, np.inf, np.abs(values)).min(axis=0)
    refuse(
        values, np.abs(values) > _SPAN * sizes, "that is too much beside the least: leave the candidate out"
    )
    convex = scale == "bcc" or not goods.shape[1]
    if not costs.shape[1]:
        costs, convex = np.ones((len(goods), 1)), False
    hull = free_disposal(points, directions)
    front = np.flatnonzero(hull.nondominated)
    start = np.searchsorted(front, hull.peer)
    programs = _Programs(goods, costs, front, convex=convex)
    step = max(_PRICES // len(front), 1)
    blocks = np.split(np.arange(len(goods)), range(step, len(goods), step))
    solved = [programs.solve(rows, start[rows]) for rows in blocks]
    theta, peers, weights = (np.concatenate(parts) for parts in zip(*solved, strict=True))
    if (np.asarray(directions) > 0).all():
        weights /= weights.sum(axis=1, keepdims=True)
    return Envelopment(theta, peers, weights)


class _Programs:
    """The linear programs of all candidates; they share all columns but theta's.

    Columns are the frontier's candidates, then the slacks of costs and goods. Rows are costs, goods, and
    the sum of shares where it has to be 1.

    Args:
        goods: shape [candidates, goods].
        costs: > 0, shape [candidates, costs].
        front: numbers of those that may be mixed, ascending.
        convex: whether shares sum to 1.
    """

    def __init__(self, goods: Floats, costs: Floats, front: Array, *, convex: bool) -> None:
        # Every row is in a unit of its own size.
        self._costs = costs / np.exp(np.log(costs).mean(axis=0))
        size = np.abs(goods).mean(axis=0)
        self._goods = goods / np.where(size > 0, size, 1.0)
        self._front = front
        self._convex = convex
        limits = costs.shape[1] + goods.shape[1]
        mixed = [-self._costs[front], self._goods[front], np.ones((len(front), int(convex)))]
        self._columns = np.vstack([np.hstack(mixed), -np.eye(limits, limits + int(convex))])

    def solve(self, rows: Array, start: Array) -> tuple[Floats, Array, Floats]:
        """Solves the programs of some candidates.

        Args:
            rows: their numbers.
            start: a place in `front` for each, whose candidate gives at least as much of every good.

        Returns:
            theta [rows], peers and weights [rows, most].
        """
        costs, goods = self._costs[rows], self._goods[rows]
        theta = np.pad(costs, ((0, 0), (0, self._columns.shape[1] - costs.shape[1])))
        exact = np.hstack([np.zeros_like(costs), goods, np.ones((len(rows), int(self._convex)))])
        # No two multiples of the golden ratio have the same fraction.
        loose = _LOOSE * (1 + np.arange(costs.shape[1] + goods.shape[1]) * _GOLDEN % 1)
        wanted = exact.copy()
        wanted[:, : len(loose)] -= loose * np.hstack([costs, np.where(goods == 0, 1.0, np.abs(goods))])
        basis = self._first(costs, wanted, start)
        amounts = np.empty((len(rows), basis.shape[1] + 1))
        left = np.arange(len(rows))
        for _ in range(_STEPS):
            taken = np.concatenate([theta[left, None], self._columns[basis[left]]], axis=1)
            inverse = np.linalg.inv(taken.transpose(0, 2, 1))
            amounts[left] = np.einsum("nij,nj->ni", inverse, exact[left])
            # Only theta is to be small, and it stands first: its row of the inverse is the prices.
            saved = inverse[:, 0] @ self._columns.T
            np.put_along_axis(saved, basis[left], 0.0, axis=1)
            entering = saved.argmax(axis=1)
            better = np.take_along_axis(saved, entering[:, None], axis=1)[:, 0] > _WORTH
            if not better.any():
                return self._mixtures(basis, amounts)
            left, inverse, entering = left[better], inverse[better], entering[better]
            change = np.einsum("nij,nj->ni", inverse, self._columns[entering])[:, 1:]
            now = np.einsum("nij,nj->ni", inverse, wanted[left])[:, 1:]
            basis[left, _leaving(now, change)] = entering
        raise InvalidError(
            f"the mixture that beats row {rows[left[0]] + 1} is hidden by rounding: leave out candidates "
            "whose values differ by many orders of magnitude from the others'"
        )

    def _first(self, costs: Floats, wanted: Floats, start: Array) -> Array:
        """Columns to start with beside theta's: one candidate, and the slack of all that does not bind it."""
        one, count = self._front[start], costs.shape[1]
        slack = np.ones((len(start), count + self._goods.shape[1]), dtype=bool)
        places = np.arange(len(start))
        share = np.ones((len(start), 1))
        if not self._convex:
            needed = wanted[:, count:] / self._goods[one]
            slack[places, count + needed.argmax(axis=1)] = False
            share = needed.max(axis=1, keepdims=True)
        slack[places, ((share * self._costs[one] + wanted[:, :count]) / costs).argmax(axis=1)] = False
        slacks = len(self._front) + np.nonzero(slack)[1].reshape(len(start), -1)
        return np.hstack([start[:, None], slacks])

    def _mixtures(self, basis: Array, amounts: Floats) -> tuple[Floats, Array, Floats]:
        weights = np.where(basis < len(self._front), amounts[:, 1:], 0.0)
        weights[weights <= _NOTHING * weights.max(axis=1, keepdims=True)] = 0.0
        order = np.argsort(-weights, axis=1, kind="stable")
        weights = np.take_along_axis(weights, order, axis=1)
        places = np.where(weights > 0, np.take_along_axis(basis, order, axis=1), 0)
        return np.minimum(amounts[:, 0], 1.0), self._front[places], weights


def _leaving(amounts: Floats, change: Floats) -> Array:
    """Tells which column of each basis reaches 0 first as the entering one grows.

    Args:
        amounts: of the columns, shape [programs, columns].
        change: what each loses to one unit of the entering column, of the same shape.
    """
    able = change > _NOTHING * np.abs(change).max(axis=1, keepdims=True)
    until = np.full(amounts.shape, np.inf)
    np.divide(np.maximum(amounts, 0.0), change, out=until, where=able)
    return np.asarray(until.argmin(axis=1))
