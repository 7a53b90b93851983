"""What the words of `pilotfish frontier` say: objectives, uncertainties, weights, constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import Constraint, check_constraints
from sidecar.core.preference.value import WeightedProduct, default_weights
from sidecar.core.tensors import Array, Floats
from sidecar.tools.records.candidates import Candidates

_DIRECTIONS: Final = {"max": 1, "min": -1}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared, and what is preferred.

    Attributes:
        directions: directions of the objectives, by column, the most important first.
        value: their weights.
        constraints: on objectives or on other columns.
        uncertainties: standard deviation in the column's unit, share of the value ("2%") or column of
            standard deviations, by column.
        reference: the worst that counts for the hypervolume, by objective; empty for none.
    """

    directions: Mapping[str, int]
    value: WeightedProduct
    constraints: tuple[Constraint, ...]
    uncertainties: Mapping[str, str]
    reference: Mapping[str, float]

    @property
    def measured(self) -> tuple[str, ...]:
        """All columns that are compared or limited; objectives first."""
        limited = (one.objective for one in self.constraints)
        return tuple(dict.fromkeys([*self.directions, *limited]))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of numbers that have to be read."""
        deviations = (one for one in self.uncertainties.values() if _number(one.removesuffix("%")) is None)
        return tuple(dict.fromkeys([*self.measured, *deviations]))


def asked(
    objectives: str,
    uncertainty: Sequence[str],
    constraint: Sequence[str],
    probability: float,
    weights: str | None,
    reference: str | None,
) -> Asked:
    """Reads the options.

    Raises:
        InvalidError: one cannot be read, or they contradict each other.
    """
    directions: dict[str, int] = {}
    for word in objectives.split(","):
        name, _, direction = word.strip().rpartition(":")
        if not name or direction not in _DIRECTIONS or name in directions:
            raise InvalidError(
                f"--objectives {word.strip()!r}: write each column once, with its direction, like "
                "top1:max,param_count:min"
            )
        directions[name] = _DIRECTIONS[direction]
    limits = tuple(Constraint.parse(text, probability) for text in constraint)
    known = dict.fromkeys([*directions, *(one.objective for one in limits)])
    check_constraints(limits, list(known), {})
    uncertainties = _pairs("--uncertainty", ",".join(uncertainty), list(known))
    chosen = dict(zip(directions, default_weights(len(directions)), strict=True))
    chosen |= _numbers("--weights", weights, list(directions))
    worst = _numbers("--reference", reference, list(directions))
    if worst and (missing := [name for name in directions if name not in worst]):
        raise InvalidError(f"--reference: {missing[0]!r} is missing: give the worst that counts of each")
    return Asked(directions, WeightedProduct(tuple(chosen.values())), limits, uncertainties, worst)


def draw(table: Candidates, asked_for: Asked, draws: int, rng: np.random.Generator) -> Floats:
    """Draws what each model may be: log-normal with the value as its mean and the given deviation.

    Args:
        table: values above 0.
        asked_for: with the uncertainties.
        draws: how many.
        rng: of the draws.

    Returns:
        shape [draws, models, measured columns].

    Raises:
        InvalidError: a value is not above 0, or a deviation is negative.
    """
    shares = np.zeros((len(table.names), len(asked_for.measured)))
    for place, column in enumerate(asked_for.measured):
        values = table.numbers[column]
        _refuse(table, column, values <= 0, "values and efficiencies are ratios: give it above 0")
        text = asked_for.uncertainties.get(column, "0")
        relative, number = text.endswith("%"), _number(text.removesuffix("%"))
        if number is None:
            deviations = table.numbers[text]
            _refuse(table, text, deviations < 0, "a standard deviation is 0 or more")
        elif number < 0:
            raise InvalidError(f"--uncertainty {column}={text}: a standard deviation is 0 or more")
        else:
            deviations = values * number / 100 if relative else np.full(len(values), number)
        shares[:, place] = deviations / values
    values = np.stack([table.numbers[column] for column in asked_for.measured], axis=1)
    spread = np.sqrt(np.log1p(shares**2))
    noise = rng.standard_normal((draws, *values.shape))
    return np.asarray(values * np.exp(spread * noise - spread**2 / 2))


def _refuse(table: Candidates, column: str, wrong: Array, mend: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        where = f"data row {row + 1} ({table.names[row]})"
        raise InvalidError(f"column {column!r} is {table.numbers[column][row]:g} in {where}: {mend}")


def _pairs(option: str, text: str, known: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not value:
            raise InvalidError(f"{option} {word!r}: write NAME=VALUE")
        if name not in known:
            raise InvalidError(
                f"{option} {word!r}: there is no objective {name!r}; there is {', '.join(known)}"
            )
        pairs[name] = value
    return pairs


def _numbers(option: str, text: str | None, known: Sequence[str]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in _pairs(option, text or "", known).items():
        number = _number(value)
        if number is None:
            raise InvalidError(f"{option} {name}={value}: write a number")
        numbers[name] = number
    return numbers


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
