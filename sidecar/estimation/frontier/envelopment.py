"""Data envelopment (DEA): how much less a candidate could cost, compared with mixtures of candidates.

The efficiency theta is the least share of all its costs at once with which a mixture of candidates gives
at least as much of every good. BCC mixes by shares that sum to 1, so a mixture reads as a split of the
traffic: "60 % to A and 40 % to B would beat it". CCR may also scale the mixture. Without goods, every
candidate is taken to give 1. Without costs, every candidate is taken to cost 1, and a mixture gives 1 / theta
times as much of every good. In both cases CCR and BCC are the same.

    minimise theta, where sum_j l_j cost_ij <= theta cost_io and sum_j l_j good_rj >= good_ro,
    l >= 0; BCC: sum_j l_j = 1

HiGHS solves it, one linear program per candidate. This module needs scipy (the extra `frontier`).

References:
    Charnes, Cooper & Rhodes 1978 (CCR); Banker, Charnes & Cooper 1984 (BCC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.optimize import linprog

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import checked, refuse, sides
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated

# Shares that are no more than rounding, relative to the greatest share of the mixture.
_NOTHING: Final = 1e-9
_TOLERANCE: Final = 1e-10
# If the values of an objective differ by more than this factor, rounding may hide the answer.
_SPAN: Final = 1e10


@dataclass(frozen=True, slots=True)
class Envelopment:
    """Efficiencies of candidates, and the mixtures that prove them.

    Attributes:
        theta: in (0, 1], shape [candidates].
        peers: row numbers of the candidates in each mixture, largest share first, shape [candidates, most].
        weights: their shares, shape [candidates, most]; 0 where a mixture has fewer peers. They sum to 1
            unless CCR scales the mixture.
    """

    theta: Floats
    peers: Array
    weights: Floats


def envelopment(points: Array, directions: Sequence[int], scale: Literal["ccr", "bcc"]) -> Envelopment:
    """Finds the efficiency of every candidate, and the mixture that has it.

    Args:
        points: shape [candidates, objectives]. Costs are above 0; goods are above 0 for CCR and if there are
            no costs.
        directions: +1 for a good, -1 for a cost, per objective.
        scale: whether mixtures may be scaled ("ccr") or are convex ("bcc").

    Raises:
        InvalidError: a value is not finite, or not above 0 where it has to be; or values of an objective
            differ so much in size that rounding may hide the answer.
    """
    goods, costs = sides(points, directions)
    values = checked(points, directions)
    if scale == "ccr":
        refuse(values, values <= 0, "CCR scales such values: give them above 0, or use BCC")
    sizes = np.where(values == 0, np.inf, np.abs(values)).min(axis=0)
    refuse(
        values, np.abs(values) > _SPAN * sizes, "that is too much beside the least: leave the candidate out"
    )
    convex = scale == "bcc" or not goods.shape[1]
    if not costs.shape[1]:
        costs, convex = np.ones((len(goods), 1)), False
    # Every objective is in a unit of its own size.
    costs = costs / np.exp(np.log(costs).mean(axis=0))
    size = np.abs(goods).mean(axis=0)
    goods = goods / np.where(size > 0, size, 1.0)
    front = np.flatnonzero(nondominated(points, directions))
    mixtures = np.stack([_mixture(row, goods, costs, front, convex=convex) for row in range(len(goods))])
    theta, shares = np.minimum(mixtures[:, 0], 1.0), mixtures[:, 1:]
    shares = np.where(shares > _NOTHING * shares.max(axis=1, keepdims=True), shares, 0.0)
    order = np.argsort(-shares, axis=1, kind="stable")[:, : int((shares > 0).sum(axis=1).max())]
    weights = np.take_along_axis(shares, order, axis=1)
    if (np.asarray(directions) > 0).all() or convex:
        weights /= weights.sum(axis=1, keepdims=True)
    return Envelopment(theta, front[order], weights)


def _mixture(row: int, goods: Floats, costs: Floats, front: Array, *, convex: bool) -> Floats:
    """Theta of one candidate, then the share of each candidate of the frontier, shape [1 + front]."""
    limits = np.vstack(
        [
            np.column_stack([-costs[row], costs[front].T]),
            np.column_stack([np.zeros(goods.shape[1]), -goods[front].T]),
        ]
    )
    solved = linprog(
        np.eye(1, 1 + len(front))[0],
        A_ub=limits,
        b_ub=np.concatenate([np.zeros(costs.shape[1]), -goods[row]]),
        A_eq=np.append(0.0, np.ones(len(front)))[None] if convex else None,
        b_eq=[1.0] if convex else None,
        method="highs-ds",
        options={"primal_feasibility_tolerance": _TOLERANCE, "dual_feasibility_tolerance": _TOLERANCE},
    )
    if solved.x is None:
        raise InvalidError(
            f"rounding hides the mixture that beats row {row + 1} ({solved.message}): leave out candidates "
            "whose values differ by many orders of magnitude from those of the others"
        )
    found: Floats = np.asarray(solved.x)
    return found
