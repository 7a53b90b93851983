"""What a caller wants: the objectives that count, how they are weighed, the bounds, the order."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.core.preference.constraints import Constraint, check_constraints
from sidecar.core.preference.objectives import ACCURACY, RANGES
from sidecar.core.preference.value import Lexicographic, WeightedProduct


class Order(enum.Enum):
    """What puts the candidates in order; what it leaves open is told by who is better in more draws.

    Of a lexicographic preference, whose later objectives no regret is counted in, that alone tells.
    """

    EXPECTED_REGRET = "expected_regret"
    P_BEST = "p_best"
    P_NONDOMINATED = "p_nondominated"
    EFFICIENCY = "efficiency"


@dataclass(frozen=True, slots=True)
class Preference:
    """What a caller wants.

    Raises:
        InvalidError: constraints contradict each other, or what can be.

    Attributes:
        directions: by objective, the most important first; 1: more is better, -1: less is.
        value: how the objectives are weighed against each other.
        constraints: bounds that must hold, also of objectives that do not count otherwise.
        order: what puts the candidates in order.
        level: how sure a difference parts two ranks; nominal coverage of intervals.
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
        """All objectives that must be known: those that count, then those that are bounded only."""
        return tuple(dict.fromkeys([*self.directions, *(one.objective for one in self.constraints)]))


BY_ACCURACY: Final = Preference({ACCURACY: 1}, WeightedProduct((1.0,)))
