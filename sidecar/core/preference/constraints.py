"""Hard limits on objectives, and how probable it is that a candidate keeps them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

# As sure as intervals are elsewhere.
PROBABILITY: Final = 0.9
_WORDS: Final = re.compile(r"\s*(?P<objective>[^<>=\s]+)\s*(?P<sign><=|>=)\s*(?P<limit>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on an objective that has to hold with a probability.

    Attributes:
        objective: its name.
        at_most: the greatest allowed value, in the objective's unit; None where there is none.
        at_least: the least allowed value.
        probability: that a candidate must keep it with, above 0 and below 1.

    Raises:
        InvalidError: there is no limit, one is not a number, they contradict each other, or the
            probability is out of range.
    """

    objective: str
    at_most: float | None = None
    at_least: float | None = None
    probability: float = PROBABILITY

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.at_least, self.at_most) if limit is not None]
        if not limits or not all(math.isfinite(limit) for limit in limits):
            raise InvalidError(f"constraint on {self.objective}: give a number as limit")
        if limits[0] > limits[-1]:
            raise InvalidError(
                f"constraint on {self.objective}: >= {limits[0]:g} and <= {limits[-1]:g} contradict each "
                "other: mend one of them"
            )
        if not 0 < self.probability < 1:
            raise InvalidError(
                f"constraint {self}: its probability is {self.probability}: give one between 0 and 1"
            )

    @classmethod
    def parse(cls, text: str, probability: float = PROBABILITY) -> Constraint:
        """Reads "latency_p99_s <= 0.05" or "accuracy >= 0.9".

        Raises:
            InvalidError: the text does not say objective, sign and number.
        """
        found = _WORDS.fullmatch(text)
        try:
            limit = float(found["limit"]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or math.isnan(limit):
            raise InvalidError(f"constraint {text!r}: write it like latency_p99_s <= 0.05, with <= or >=")
        if found["sign"] == "<=":
            return cls(found["objective"], at_most=limit, probability=probability)
        return cls(found["objective"], at_least=limit, probability=probability)

    def __str__(self) -> str:
        """As `parse` reads it, and both limits where there are two."""
        limits = ((">=", self.at_least), ("<=", self.at_most))
        return " and ".join(
            f"{self.objective} {sign} {value:g}" for sign, value in limits if value is not None
        )

    def kept(self, values: Array) -> Array:
        """Tells which values of the objective keep the limits; bool, of the same shape."""
        answers = np.ones(np.shape(values), dtype=bool)
        if self.at_most is not None:
            answers &= values <= self.at_most
        if self.at_least is not None:
            answers &= values >= self.at_least
        return answers


def check_constraints(
    constraints: Sequence[Constraint],
    objectives: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Refuses constraints that name no objective or that nothing can keep.

    Args:
        constraints: any number, also several on one objective.
        objectives: names of all that there are.
        ranges: least and greatest possible value of objectives, where known.

    Raises:
        InvalidError: one is so; named.
    """
    allowed = dict(ranges)
    for one in constraints:
        if one.objective not in objectives:
            raise InvalidError(
                f"constraint {one}: there is no such objective; there is {', '.join(objectives)}"
            )
        low, high = allowed.get(one.objective, (-math.inf, math.inf))
        at_least = max(low, -math.inf if one.at_least is None else one.at_least)
        at_most = min(high, math.inf if one.at_most is None else one.at_most)
        if at_least > at_most:
            raise InvalidError(
                f"constraint {one}: {one.objective} lies between {low:g} and {high:g}, by nature or by the "
                "other constraints: no candidate can keep it, mend the limit"
            )
        allowed[one.objective] = at_least, at_most


def probability_kept(constraints: Sequence[Constraint], objectives: Sequence[str], draws: Array) -> Floats:
    """Share of the draws in which each candidate keeps each constraint.

    Args:
        constraints: checked ones.
        objectives: names of the draws' objectives.
        draws: shape [draws, candidates, objectives].

    Returns:
        shape [constraints, candidates].
    """
    shares = [one.kept(draws[..., list(objectives).index(one.objective)]).mean(axis=0) for one in constraints]
    return np.array(shares, dtype=np.float64).reshape(len(constraints), draws.shape[1])
