"""Defines a caller's preference: the objectives that count, their weights, the constraints and the order."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.core.preference.constraints import Constraint, check_constraints
from sidecar.core.preference.objectives import ACCURACY, RANGES
from sidecar.core.preference.value import Lexicographic, WeightedProduct


class Order(enum.Enum):
    """The quantity that orders the candidates; of equals, the candidate that is better in more draws leads.

    A lexicographic preference orders by that comparison alone, because its regret counts only the first
    objective.
    """

    EXPECTED_REGRET = "expected_regret"
    P_BEST = "p_best"
    P_NONDOMINATED = "p_nondominated"
    EFFICIENCY = "efficiency"


@dataclass(frozen=True, slots=True)
class Preference:
    """What a caller prefers.

    Raises:
        InvalidError: constraints contradict each other, or an objective's range.

    Attributes:
        directions: 1 if more is better, -1 if less is better, by objective; the most important objective is
            first.
        value: how the objectives are weighed against each other.
        constraints: limits that must hold; they may be on objectives without a weight.
        order: the quantity that orders the candidates.
        level: probability with which two candidates must differ to get different ranks, and coverage of the
            intervals.
    """

    directions: Mapping[str, int]
    value: WeightedProduct | Lexicographic
    constraints: tuple[Constraint, ...] = ()
    order: Order = Order.EXPECTED_REGRET
    level: float = 0.9

    def __post_init__(self) -> None:
        check_constraints(self.constraints, self.names, RANGES)

    @property
    def names(self) -> tuple[str, ...]:
        """All objectives that must be known: first the weighed objectives, then the constrained ones."""
        return tuple(
            dict.fromkeys([*self.directions, *(constraint.objective for constraint in self.constraints)])
        )


BY_ACCURACY: Final = Preference({ACCURACY: 1}, WeightedProduct((1.0,)))
