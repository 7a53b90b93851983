"""When and how the candidates are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from sidecar.config.schema.section import Finite, ObjectiveName, Section
from sidecar.config.units import Seconds
from sidecar.core.errors import InvalidError
from sidecar.core.measure_names import known_measure
from sidecar.core.preference.constraints import Constraint as Bound
from sidecar.core.preference.objectives import DIRECTIONS
from sidecar.core.preference.preference import Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct, default_weights


def _measure(name: str) -> str:
    try:
        return known_measure(name)
    except InvalidError as error:
        raise ValueError(str(error)) from error


MeasureName = Annotated[str, AfterValidator(_measure)]


def _named(given: Any) -> Any:  # noqa: ANN401 - raw YAML
    return {"name": given} if isinstance(given, str) else given


class Objective(Section):
    """A quantity that the ranking optimizes."""

    name: ObjectiveName = Field(
        description=f"{', '.join(DIRECTIONS)}, or a name that the candidates declare in `objectives`"
    )
    direction: Literal["max", "min"] | None = Field(
        default=None,
        description="max: higher is better; min: lower is better; needed only if `name` is none of the "
        "known objectives",
    )
    weight: Finite | None = Field(
        default=None,
        ge=0,
        description="importance relative to the first objective; default: 1 for the first and 0.07 for each "
        "other, so that halving a cost outweighs a loss of about 5 % in the first",
    )
    tolerance: Finite = Field(
        default=0.0, ge=0, description="for `prefer: lexicographic`: smaller differences count as equal"
    )

    @model_validator(mode="after")
    def _known_direction(self) -> Self:
        known = DIRECTIONS.get(self.name)
        if known is None and self.direction is None:
            raise ValueError(
                f"objective {self.name!r} is none of {', '.join(DIRECTIONS)}: add `direction: min` or "
                "`direction: max`"
            )
        if known is not None and self.direction not in (None, "max" if known > 0 else "min"):
            raise ValueError(f"objective {self.name!r} has a fixed direction: leave `direction` out")
        return self

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return DIRECTIONS.get(self.name) or (1 if self.direction == "max" else -1)


def _limit(given: Any) -> Any:  # noqa: ANN401 - raw YAML
    return given if isinstance(given, Mapping | BaseModel) else {"limit": given}


class Constraint(Section):
    """Bounds of an objective that a candidate must keep."""

    limit: Finite | None = Field(
        default=None,
        description="upper bound of an objective to minimize, lower bound of an objective to maximize",
    )
    at_most: Finite | None = Field(default=None, description="upper bound")
    at_least: Finite | None = Field(default=None, description="lower bound")
    probability: float = Field(
        default=0.9, gt=0, lt=1, description="probability with which the bounds must hold"
    )

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.limit is None and self.at_most is None and self.at_least is None:
            raise ValueError("the constraint has no bound: give a number, at_most or at_least")
        if self.limit is not None and (self.at_most is not None or self.at_least is not None):
            raise ValueError("limit and at_most or at_least are both given: keep one of them")
        return self

    def bound(self, objective: str, direction: int | None) -> Bound:
        """The bounds of an objective of this direction; None: not known.

        Raises:
            InvalidError: the bounds contradict each other, or nobody knows on which side the limit is.
        """
        at_most, at_least = self.at_most, self.at_least
        if self.limit is not None:
            if direction is None:
                raise InvalidError(
                    f"constraint {objective}: its direction is not known: give at_most or at_least"
                )
            at_most, at_least = (self.limit, None) if direction < 0 else (None, self.limit)
        return Bound(objective, at_most=at_most, at_least=at_least, probability=self.probability)


class Ranking(Section):
    """When and how the candidates are ranked."""

    every: Seconds = Field(
        default=5.0, description="time between rankings, in seconds or with a unit: 5s, 200ms, 1m"
    )
    stale_after: Seconds = Field(
        default=60.0, description="age, in seconds or with a unit, from which a ranking is STALE"
    )
    min_items: int = Field(
        default=50, ge=2, description="with fewer items in the window a ranking is INSUFFICIENT_DATA"
    )
    objectives: tuple[Annotated[Objective, BeforeValidator(_named, str | Objective)], ...] = Field(
        default=(Objective(name="accuracy"),),
        min_length=1,
        max_length=8,
        description="objectives, the most important first: names, or name, direction, weight, tolerance; "
        "regret is in the unit of the first objective",
    )
    constraints: dict[ObjectiveName, Annotated[Constraint, BeforeValidator(_limit, float | Constraint)]] = (
        Field(
            default_factory=dict,
            description="bounds by objective: a number, or at_most, at_least, probability; a candidate that "
            "breaks a bound is ranked last",
        )
    )
    prefer: Literal["weights", "lexicographic"] = Field(
        default="weights",
        description="weights: all objectives count together; lexicographic: an objective counts only if the "
        "objectives before it differ by no more than their tolerance",
    )
    order: Literal["expected_regret", "p_best", "p_nondominated", "efficiency"] = Field(
        default="expected_regret", description="quantity by which the candidates are ordered"
    )
    false_alarm: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="probability, over all rounds together, that the recommendation changes without a reason",
    )
    tolerance: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="accuracy; a ranking is OK when its first candidate loses at most this to the best "
        "candidate with probability 0.9",
    )
    measures: tuple[MeasureName, ...] | None = Field(
        default=None,
        description="measures that ExplainCandidate shows, whatever they cost; `pilotfish measures` lists "
        "them; default: the default measures, without those that would take too much of a round",
    )
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap's random numbers")

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        names = [one.name for one in self.objectives]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"objective {twice[0]!r} is listed twice; remove one entry")
        try:
            self.preference  # noqa: B018 - raises what is wrong
        except InvalidError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def preference(self) -> Preference:
        """What puts the candidates in order.

        Raises:
            InvalidError: weights or constraints contradict each other.
        """
        directions = {one.name: one.sign for one in self.objectives}
        usual = default_weights(len(directions))
        value = (
            Lexicographic(tuple(one.tolerance for one in self.objectives))
            if self.prefer == "lexicographic"
            else WeightedProduct(
                tuple(
                    weight if one.weight is None else one.weight
                    for one, weight in zip(self.objectives, usual, strict=True)
                )
            )
        )
        known = {**DIRECTIONS, **directions}
        bounds = tuple(one.bound(name, known.get(name)) for name, one in self.constraints.items())
        return Preference(directions, value, bounds, Order(self.order))
