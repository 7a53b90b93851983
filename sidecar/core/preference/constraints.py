"""Constraints: hard limits on objectives, and the probability that a candidate satisfies them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

# The level of intervals everywhere else.
PROBABILITY: Final = 0.9
_WORDS: Final = re.compile(r"\s*(?P<objective>[^<>=\s]+)\s*(?P<sign><=|>=)\s*(?P<limit>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on an objective that a candidate must satisfy with a given probability.

    Attributes:
        objective: name of the objective.
        at_most: the greatest allowed value, in the objective's unit; None sets no upper limit.
        at_least: the least allowed value, in the objective's unit; None sets no lower limit.
        probability: least probability that the limits hold, above 0 and below 1.

    Raises:
        InvalidError: there is no limit, a limit is not a number, the limits contradict each other, or the
            probability is out of range.
    """

    objective: str
    at_most: float | None = None
    at_least: float | None = None
    probability: float = PROBABILITY

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.at_least, self.at_most) if limit is not None]
        if not limits or not all(math.isfinite(limit) for limit in limits):
            raise InvalidError(
                f"constraint on {self.objective}: there is no finite limit: give a number as limit"
            )
        if limits[0] > limits[-1]:
            raise InvalidError(
                f"constraint on {self.objective}: >= {limits[0]:g} and <= {limits[-1]:g} contradict each "
                "other: change a limit"
            )
        if not 0 < self.probability < 1:
            raise InvalidError(
                f"constraint {self}: its probability is {self.probability}: give a number between 0 and 1"
            )

    @classmethod
    def parse(cls, text: str, probability: float = PROBABILITY) -> Constraint:
        """Reads "latency_p99_s <= 0.05" or "accuracy >= 0.9".

        Raises:
            InvalidError: the text is not an objective, a sign and a number.
        """
        found = _WORDS.fullmatch(text)
        try:
            limit = float(found["limit"]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or math.isnan(limit):
            raise InvalidError(
                f"constraint {text!r} is not understood: write it like latency_p99_s <= 0.05, with <= or >="
            )
        if found["sign"] == "<=":
            return cls(found["objective"], at_most=limit, probability=probability)
        return cls(found["objective"], at_least=limit, probability=probability)

    def __str__(self) -> str:
        """Returns the text that `parse` reads; two limits are joined by `and`."""
        limits = ((">=", self.at_least), ("<=", self.at_most))
        return " and ".join(
            f"{self.objective} {sign} {value:g}" for sign, value in limits if value is not None
        )

    def kept(self, values: Array) -> Array:
        """Tells which values of the objective are within the limits; bool, of the same shape."""
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
    """Refuses constraints on unknown objectives, and constraints that no candidate can satisfy.

    Args:
        constraints: the constraints; there may be several on the same objective.
        objectives: names of all objectives.
        ranges: least and greatest possible value by objective, if known.

    Raises:
        InvalidError: a constraint is refused; the message names it.
    """
    allowed = dict(ranges)
    for constraint in constraints:
        name = constraint.objective
        if name not in objectives:
            raise InvalidError(
                f"constraint {constraint}: there is no objective {name!r}: use one of {', '.join(objectives)}"
            )
        low, high = allowed.get(name, (-math.inf, math.inf))
        at_least = max(low, -math.inf if constraint.at_least is None else constraint.at_least)
        at_most = min(high, math.inf if constraint.at_most is None else constraint.at_most)
        if at_least > at_most:
            raise InvalidError(
                f"constraint {constraint}: {name} lies between {low:g} and {high:g}, by nature or by the "
                "other constraints, so no candidate can satisfy it: change the limit"
            )
        allowed[name] = at_least, at_most


def probability_kept(constraints: Sequence[Constraint], objectives: Sequence[str], draws: Array) -> Floats:
    """Computes the share of the draws in which each candidate satisfies each constraint.

    Args:
        constraints: constraints that `check_constraints` has accepted.
        objectives: names of the draws' objectives.
        draws: draws of the objectives, shape [draws, candidates, objectives].

    Returns:
        the shares, shape [constraints, candidates].
    """
    places = {name: place for place, name in enumerate(objectives)}
    shares = [
        constraint.kept(draws[..., places[constraint.objective]]).mean(axis=0) for constraint in constraints
    ]
    return np.array(shares, dtype=np.float64).reshape(len(constraints), draws.shape[1])
