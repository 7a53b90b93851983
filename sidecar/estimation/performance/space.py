"""Configuration options, the constraints between them, and their encoding into numbers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

Value: TypeAlias = str | bool | int | float
Configuration: TypeAlias = Mapping[str, Value]


class OptionKind(StrEnum):
    """How the values of an option relate to each other."""

    CATEGORICAL = "categorical"  # only same or different
    ORDINAL = "ordinal"  # ordered, equal steps
    NUMERIC = "numeric"  # a number; anything between the least and the greatest value goes
    LOG = "log"  # a number above 0 whose ratios matter; the same


_LISTED = (OptionKind.CATEGORICAL, OptionKind.ORDINAL)


@dataclass(frozen=True, slots=True)
class Option:
    """One configuration option.

    Attributes:
        name: a column's name.
        kind: how its values relate.
        values: what it may be, in order; of numbers the values worth trying, ascending, of which the
            first and the last bound what may be asked.
        default: one of the values.
    """

    name: str
    kind: OptionKind
    values: tuple[Value, ...]
    default: Value

    def __post_init__(self) -> None:
        where = f"option {self.name!r}"
        if not self.values or len(set(self.values)) < len(self.values):
            raise InvalidError(
                f"{where}: its values are {list(self.values)}: list at least one, each of them once"
            )
        if self.kind not in _LISTED:
            numbers = [float(value) if isinstance(value, int | float) else math.nan for value in self.values]
            least = 0.0 if self.kind is OptionKind.LOG else -math.inf
            fits = all(math.isfinite(number) and number > least for number in numbers)
            if not fits or numbers != sorted(numbers):
                raise InvalidError(
                    f"{where} is {self.kind}, its values are {list(self.values)}: list finite numbers"
                    f"{' above 0' if self.kind is OptionKind.LOG else ''}, ascending"
                )
        if self.default not in self.values:
            raise InvalidError(
                f"{where}: the default {self.default!r} is none of its values {list(self.values)}: "
                "choose one of them"
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
        """Returns what a number of `code` stands for."""
        if self.kind in _LISTED:
            return self.values[int(code)]
        return next((value for value in self.values if value == code), code)

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers of all listed values."""
        return tuple(self.code(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Constraint:
    """Where every option of `when` has one of these values, so must every option of `then`."""

    when: Mapping[str, tuple[Value, ...]]
    then: Mapping[str, tuple[Value, ...]]

    def holds(self, configuration: Configuration) -> bool:
        """Whether a configuration keeps to it."""
        applies = all(configuration[name] in values for name, values in self.when.items())
        return not applies or all(configuration[name] in values for name, values in self.then.items())

    def __str__(self) -> str:
        return f"where {_conditions(self.when)}, {_conditions(self.then)}"


@dataclass(frozen=True)
class Space:
    """All options of a system; the same for every environment that is compared.

    Attributes:
        options: at least one; their order is that of the columns of codes.
        constraints: which values go together.
    """

    options: tuple[Option, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.options:
            raise InvalidError("the space has no option: name at least one")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise InvalidError(f"the space has option {twice[0]!r} twice: rename one")
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
        """The configuration that nobody changed."""
        return {option.name: option.default for option in self.options}

    def option(self, name: str) -> Option:
        """Returns the option of that name.

        Raises:
            InvalidError: there is none.
        """
        for option in self.options:
            if option.name == name:
                return option
        near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5) or self.names[:10]
        raise InvalidError(f"there is no option {name!r}; there is {', '.join(near)}")

    def code(self, configuration: Configuration) -> Floats:
        """Turns a configuration into numbers; options that it does not name are at their defaults.

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
                    f"the configuration breaks a constraint: {constraint}: change one of these"
                )
        return codes

    def codes(self, configurations: Iterable[Configuration]) -> Floats:
        """Turns configurations into numbers, as `code` does each; shape [rows, options]."""
        rows = [self.code(configuration) for configuration in configurations]
        return np.array(rows).reshape(len(rows), len(self.options))

    def configuration(self, codes: Floats) -> dict[str, Value]:
        """Turns numbers, shape [options], back into the configuration."""
        return {
            option.name: option.value(float(code)) for option, code in zip(self.options, codes, strict=True)
        }

    @cached_property
    def size(self) -> int:
        """Combinations of the listed values, constraints aside."""
        return math.prod(len(option.values) for option in self.options)

    def every(self) -> Floats:
        """Lists all configurations of listed values that keep the constraints; shape [rows, options]."""
        rows = [
            codes
            for codes in product(*(option.codes for option in self.options))
            if self._allowed(np.array(codes))
        ]
        return np.array(rows).reshape(len(rows), len(self.options))

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Draws different configurations of listed values that keep the constraints, evenly.

        Args:
            count: how many, at most.
            rng: the source of randomness.

        Returns:
            shape [rows, options]; fewer than `count` rows where there are no more, or where the
            constraints leave hardly any.
        """
        # Listing a small space is cheaper than meeting its last rows by chance.
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
        """Which option each feature is of; shape [features]."""
        sizes = [
            len(option.values) if option.kind is OptionKind.CATEGORICAL else 1 for option in self.options
        ]
        return np.repeat(np.arange(len(self.options)), sizes)

    def features(self, codes: Floats) -> Floats:
        """Encodes configurations for regression; all options weigh alike.

        A categorical option is one column per value, scaled so that two different values are at
        distance 1; every other option is one column from 0 (least value) to 1 (greatest).

        Args:
            codes: shape [rows, options].

        Returns:
            shape [rows, features].
        """
        columns = self._columns
        found = codes[:, self.groups]
        one_hot = found == columns.level
        found[:, columns.log] = np.log(found[:, columns.log])
        found = (found - columns.least) / columns.span
        found[:, columns.one_hot] = one_hot[:, columns.one_hot] * math.sqrt(0.5)
        return found

    @cached_property
    def _columns(self) -> _Columns:
        rows = [row for option in self.options for row in _columns(option)]
        level, least, span, log, one_hot = (np.array(column) for column in zip(*rows, strict=True))
        return _Columns(level, least, span, log, one_hot)


# Listing so many configurations takes some milliseconds.
_FEW = 4096
# Draws per configuration before giving up: a constraint may leave one in a hundred.
_TRIES = 100


@dataclass(frozen=True, slots=True)
class _Columns:
    """How each feature is made of its option's code; arrays of shape [features].

    Attributes:
        level: the code that a one-hot column stands for.
        least: what becomes 0 in another column.
        span: and how far from it 1 is.
        log: whether the code's logarithm counts.
        one_hot: whether the column is one of a categorical option.
    """

    level: Floats
    least: Floats
    span: Floats
    log: Array
    one_hot: Array


def _columns(option: Option) -> list[tuple[float, float, float, bool, bool]]:
    if option.kind is OptionKind.CATEGORICAL:
        return [(code, 0.0, 1.0, False, True) for code in option.codes]
    log = option.kind is OptionKind.LOG
    least, most = option.codes[0], option.codes[-1]
    if log:
        least, most = math.log(least), math.log(most)
    # An option of one value moves nothing.
    return [(0.0, least, most - least or 1.0, log, False)]


def _conditions(side: Mapping[str, Sequence[Value]]) -> str:
    return " and ".join(
        f"{name} must be one of {', '.join(repr(value) for value in values)}"
        if len(values) > 1
        else f"{name} is {values[0]!r}"
        for name, values in side.items()
    )
