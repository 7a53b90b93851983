"""The space file of `pilotfish perf measure`: which options are varied, which are fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sidecar.config.load import ConfigFaultsError, Fault, line_of, place_text, read_mapping, refused
from sidecar.config.units import Place
from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.options import Measurable, find_option
from sidecar.estimation.performance.space import Constraint, Option, Space, Value


@dataclass(frozen=True, slots=True)
class MeasuredSpace:
    """What a space file says.

    Attributes:
        space: the options that are varied.
        fixed: values of options that are the same everywhere; they are part of the environment.
    """

    space: Space
    fixed: dict[str, Value]


def _choice(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return {"values": value} if isinstance(value, list) else value


def _several(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return value if isinstance(value, list) else [value]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Choice(_Section):
    values: Annotated[tuple[Any, ...], Field(min_length=1)]
    default: Any = None


class _Rule(_Section):
    when: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_several)]]
    then: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_several)]]


class _SpaceFile(_Section):
    options: Annotated[dict[str, Annotated[_Choice, BeforeValidator(_choice)]], Field(min_length=1)]
    fixed: dict[str, Any] = {}
    constraints: tuple[_Rule, ...] = ()


def load_space(path: Path, known: Mapping[str, Measurable]) -> MeasuredSpace:
    """Reads a space file.

    Args:
        path: path of the file.
        known: the options that this way to run a model has.

    Raises:
        ConfigFaultsError: with all faults that could be found.
    """
    root, data = read_mapping(path)

    def faults(found: Iterator[tuple[Place, str]]) -> list[Fault]:
        return [Fault(place_text(place), line_of(root, place), message) for place, message in found]

    try:
        file = _SpaceFile.model_validate(data)
    except ValidationError as error:
        raise ConfigFaultsError(path, faults(refused(error, _SpaceFile))) from error
    options: dict[str, Option] = {}
    wrong = faults(_faulty(file, known, options))
    if not wrong:
        wrong = faults(_broken(file, tuple(options.values())))
    if wrong:
        raise ConfigFaultsError(path, wrong)
    constraints = tuple(Constraint(rule.when, rule.then) for rule in file.constraints)
    return MeasuredSpace(Space(tuple(options.values()), constraints), dict(file.fixed))


def _faulty(
    file: _SpaceFile, known: Mapping[str, Measurable], options: dict[str, Option]
) -> Iterator[tuple[Place, str]]:
    """What is wrong with single options; fills in those that are right."""
    for name in file.fixed.keys() & file.options.keys():
        yield ("fixed", name), "is varied as well; leave it out of one of the two"
    for section, name in (*product(["options"], file.options), *product(["fixed"], file.fixed)):
        try:
            option = find_option(known, name)
            if section == "fixed":
                option.check(file.fixed[name])
            else:
                options[name] = option.option(name, file.options[name].values, file.options[name].default)
        except InvalidError as error:
            yield (section, name), str(error)


def _broken(file: _SpaceFile, options: tuple[Option, ...]) -> Iterator[tuple[Place, str]]:
    """What is wrong with the constraints, each by itself."""
    for index, rule in enumerate(file.constraints):
        try:
            Space(options, (Constraint(rule.when, rule.then),))
        except InvalidError as error:
            yield ("constraints", index), str(error)
