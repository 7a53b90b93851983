"""From one value a round to a value with an interval that another measurement falls into."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.tensors import Floats

LEVEL: Final = 0.9
# The fewest values whose range covers their median with LEVEL: 1 - 2 / 2**5 = 0.94.
LEAST_ROUNDS: Final = 5
# Another measurement of a steady machine has its value in the interval of seven rounds in 98 of 100
# cases, in that of five in 94; a machine is never quite steady.
ROUNDS: Final = 7
_LEAST_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one configuration.

    Attributes:
        value: the median round.
        low: lower end of its interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


def over_rounds(values: Floats, resolution: float = 0.0) -> Measured:
    """The median round with an interval that needs no distribution, widened by the drift.

    Ranks k and n + 1 - k of n independent values enclose their median with probability
    1 - 2 P(Binomial(n, 1/2) < k); k is the largest that leaves LEVEL. Rounds are not independent where the
    machine drifts: each end then moves out by how far the median of the later half stands from that
    of the earlier half, which is how far a measurement that follows may stand from this one.

    Args:
        values: one a round in the order of the rounds, positive; shape [rounds], at least LEAST_ROUNDS.
        resolution: resolution of the instrument; the ends are at least so far from the value.

    References:
        David & Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1.
    """
    rounds = len(values)
    ordered = np.sort(np.log(values))
    rank = _rank(rounds)
    half = rounds // 2
    drift = abs(float(np.median(np.log(values[-half:])) - np.median(np.log(values[:half]))))
    value = math.exp(float(np.median(ordered)))
    return Measured(
        value,
        # A share of the value where the instrument tells no more than that there is something.
        low=min(math.exp(ordered[rank - 1] - drift), max(value - resolution, value * _LEAST_SHARE)),
        high=max(math.exp(ordered[rounds - rank] + drift), value + resolution),
    )


def quietest(others: Floats, wanted: int) -> list[int]:
    """The rounds in which other programs disturbed least, in their order.

    The choice looks at what others did and never at what was measured, so it does not favour fast rounds.

    Args:
        others: cores that other programs kept busy; shape [rounds].
        wanted: rounds to choose.
    """
    return sorted(np.argsort(others, kind="stable")[:wanted].tolist())


def _rank(rounds: int) -> int:
    """The largest k with 1 - 2 P(Binomial(rounds, 1/2) < k) >= LEVEL."""
    below = 0
    for rank in range(1, rounds // 2 + 1):
        below += math.comb(rounds, rank - 1)
        if 1 - 2 * below / 2**rounds < LEVEL:
            return rank - 1
    return rounds // 2
