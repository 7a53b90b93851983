"""Configuration options, the constraints between them, and the codes of their values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np

from sidecar.core.close_names import close_names
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.encoding import Coded, Encoding

Value: TypeAlias = str | bool | int | float
Configuration: TypeAlias = Mapping[str, Value]


class OptionKind(StrEnum):
    """How the values of an option relate to each other."""

    CATEGORICAL = "categorical"  # two values are only the same or different
    ORDINAL = "ordinal"  # values are ordered, in equal steps
    NUMERIC = "numeric"  # a number; any number between the least and the greatest value is possible
    LOG = "log"  # a number above 0 whose ratios matter; any number between, too


_LISTED = (OptionKind.CATEGORICAL, OptionKind.ORDINAL)


@dataclass(frozen=True, slots=True)
class Option:
    """One configuration option.

    Attributes:
        name: name of its column in tables.
        kind: how its values relate to each other.
        values: its possible values, in order. For a number they are the values worth trying, ascending; any
            number between the first and the last may be asked for.
        default: its value where nobody changes it, one of `values`.
    """

    name: str
    kind: OptionKind
    values: tuple[Value, ...]
    default: Value

    def __post_init__(self) -> None:
        where = f"option {self.name!r}"
        if not self.values or len(set(self.values)) < len(self.values):
            raise InvalidError(
                f"{where} has the values {list(self.values)}: list at least one value, and each value once"
            )
        if self.kind not in _LISTED:
            numbers = [float(value) if isinstance(value, int | float) else math.nan for value in self.values]
            least = 0.0 if self.kind is OptionKind.LOG else -math.inf
            fits = all(math.isfinite(number) and number > least for number in numbers)
            if not fits or numbers != sorted(numbers):
                raise InvalidError(
                    f"{where} is {self.kind} and has the values {list(self.values)}: list finite numbers"
                    f"{' above 0' if self.kind is OptionKind.LOG else ''}, ascending"
                )
        if self.default not in self.values:
            raise InvalidError(
                f"{where} has the default {self.default!r}, which is not one of its values "
                f"{list(self.values)}: choose one of the values"
            )

    def code(self, value: Value) -> float:
        """Returns a value's number: its place in the list, or a numeric option's value itself.

        Raises:
            InvalidError: the option has no such value.
        """
        if self.kind in _LISTED:
            if value in self.values:
                return float(self.values.index(value))
            known = ", ".join(repr(one) for one in self.values)
            raise InvalidError(
                f"option {self.name!r} has no value {value!r}: use one of {known}, or add it to the space"
            )
        least, greatest = float(self.values[0]), float(self.values[-1])
        if isinstance(value, int | float) and least <= value <= greatest:
            return float(value)
        raise InvalidError(
            f"option {self.name!r} has no value {value!r}: use a number from {least:g} to {greatest:g}, "
            "or widen the space"
        )

    def has(self, code: float) -> bool:
        """Whether a number stands for a value."""
        if self.kind in _LISTED:
            return code in range(len(self.values))
        return self.codes[0] <= code <= self.codes[-1]

    def value(self, code: float) -> Value:
        """Returns the value that a number of `code` stands for."""
        if self.kind in _LISTED:
            return self.values[int(code)]
        return next((value for value in self.values if value == code), code)

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers of all listed values."""
        return tuple(self.code(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Constraint:
    """If every option of `when` has one of the values given there, so must every option of `then`."""

    when: Mapping[str, tuple[Value, ...]]
    then: Mapping[str, tuple[Value, ...]]

    def holds(self, configuration: Configuration) -> bool:
        """Whether a configuration keeps the constraint."""
        applies = all(configuration[name] in values for name, values in self.when.items())
        return not applies or all(configuration[name] in values for name, values in self.then.items())

    def __str__(self) -> str:
        return f"where {_conditions(self.when)}, {_conditions(self.then)}"


@dataclass(frozen=True)
class Space:
    """All options of a system. Environments are compared over the same space.

    Attributes:
        options: at least one option; codes have one column per option, in this order.
        constraints: which values may go together.
    """

    options: tuple[Option, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.options:
            raise InvalidError("the space has no option: add at least one option")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise InvalidError(f"the space has two options named {twice[0]!r}: rename one of them")
        for constraint in self.constraints:
            for side in (constraint.when, constraint.then):
                for name, values in side.items():
                    option = self.option(name)
                    for value in values:
                        option.code(value)
        self.code(self.defaults)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The options' names, in order."""
        return tuple(option.name for option in self.options)

    @cached_property
    def defaults(self) -> dict[str, Value]:
        """The configuration in which every option has its default."""
        return {option.name: option.default for option in self.options}

    def option(self, name: str) -> Option:
        """Returns the option of that name.

        Raises:
            InvalidError: there is no such option.
        """
        for option in self.options:
            if option.name == name:
                return option
        near = close_names(name, self.names, 3) or self.names[:10]
        raise InvalidError(f"there is no option {name!r}: use one of {', '.join(near)}")

    def code(self, configuration: Configuration) -> Floats:
        """Turns a configuration into numbers. An option that it does not name has its default.

        Returns:
            shape [options].

        Raises:
            InvalidError: an option or value is unknown, or a constraint is broken.
        """
        for name in configuration:
            self.option(name)
        full = {**self.defaults, **configuration} if configuration is not self.defaults else configuration
        codes = np.array([option.code(full[option.name]) for option in self.options])
        for constraint in self.constraints:
            if not constraint.holds(full):
                raise InvalidError(
                    f"the configuration breaks the constraint '{constraint}': change one of these options"
                )
        return codes

    def codes(self, configurations: Iterable[Configuration]) -> Floats:
        """Turns configurations into numbers, each as `code` does; shape [rows, options]."""
        rows = [self.code(configuration) for configuration in configurations]
        return np.array(rows).reshape(len(rows), len(self.options))

    def configuration(self, codes: Floats) -> dict[str, Value]:
        """Turns numbers, shape [options], back into the configuration."""
        return {
            option.name: option.value(float(code)) for option, code in zip(self.options, codes, strict=True)
        }

    @cached_property
    def size(self) -> int:
        """Number of combinations of the listed values, without regard to constraints."""
        return math.prod(len(option.values) for option in self.options)

    def every(self) -> Floats:
        """Lists all configurations of listed values that keep the constraints, shape [rows, options]."""
        rows = [
            codes
            for codes in product(*(option.codes for option in self.options))
            if self._allowed(np.array(codes))
        ]
        return np.array(rows).reshape(len(rows), len(self.options))

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Draws different configurations of listed values that keep the constraints, all equally likely.

        Args:
            count: the greatest number of configurations.
            rng: the source of randomness.

        Returns:
            shape [rows, options]; fewer than `count` rows if there are no more configurations, or if the
            constraints allow hardly any.
        """
        # To list a small space is cheaper than to draw until its last rows come up.
        if self.size <= max(4 * count, _FEW):
            every = self.every()
            return every[rng.permutation(len(every))[:count]]
        found: dict[bytes, Floats] = {}
        lists = [np.array(option.codes) for option in self.options]
        for _ in range(_TRIES * count):
            codes = np.array([values[rng.integers(len(values))] for values in lists])
            if self._allowed(codes):
                found[codes.tobytes()] = codes
                if len(found) == count:
                    break
        return np.array(list(found.values())).reshape(len(found), len(self.options))

    def _allowed(self, codes: Floats) -> bool:
        if not self.constraints:
            return True
        configuration = self.configuration(codes)
        return all(constraint.holds(configuration) for constraint in self.constraints)

    @cached_property
    def groups(self) -> Array:
        """The number of the option that each feature belongs to, shape [features]."""
        return self._encoding.groups

    def features(self, codes: Floats) -> Floats:
        """Encodes configurations, shape [rows, options], for regression; see `Encoding.features`."""
        return self._encoding.features(codes)

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding.of(
            [
                Coded(one.codes, one.kind is OptionKind.CATEGORICAL, one.kind is OptionKind.LOG)
                for one in self.options
            ]
        )


# A space of so many configurations is listed in some milliseconds.
_FEW = 4096
# So many tries are made per configuration: a constraint may allow only one draw in a hundred.
_TRIES = 100


def _conditions(side: Mapping[str, Sequence[Value]]) -> str:
    return " and ".join(
        f"{name} must be one of {', '.join(repr(value) for value in values)}"
        if len(values) > 1
        else f"{name} is {values[0]!r}"
        for name, values in side.items()
    )
