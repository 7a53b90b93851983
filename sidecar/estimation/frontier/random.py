"""The random frontier: who is on it, and how efficient, when every objective is uncertain.

Draws are joint: in one draw all candidates saw the same items, machine and prices, so that what hits
all of them alike decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import checked
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.free_disposal import free_disposal


@dataclass(frozen=True, slots=True)
class RandomFrontier:
    """What draws say of each candidate; all of shape [candidates].

    Attributes:
        p_nondominated: share of the draws in which it is on the frontier.
        efficiency: mean of its efficiency over the draws, see `sidecar.estimation.frontier.free_disposal`.
        efficiency_low: lower end of the interval that holds `level` of the draws.
        efficiency_high: upper end.
    """

    p_nondominated: Floats
    efficiency: Floats
    efficiency_low: Floats
    efficiency_high: Floats


def random_frontier(draws: Array, directions: Sequence[int], level: float) -> RandomFrontier:
    """Finds the frontier and all efficiencies in every draw.

    Args:
        draws: shape [draws, candidates, objectives]; costs are above 0, and without costs goods are.
        directions: +1 for a good, -1 for a cost; one an objective.
        level: share of the draws that intervals hold, between 0 and 1.

    Raises:
        InvalidError: an axis is empty, a value is not finite or not above 0 where it has to be, or the
            level is out of range.
    """
    if not 0 < level < 1:
        raise InvalidError(f"level is {level}: give a share between 0 and 1")
    values = checked(draws, directions)
    theta = np.empty(values.shape[:2])
    count = np.zeros(values.shape[1])
    for number, draw in enumerate(values):
        hull = free_disposal(draw, directions)
        theta[number] = hull.theta
        count += hull.nondominated
    low, high = np.quantile(theta, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return RandomFrontier(count / len(values), theta.mean(axis=0), low, high)
