"""Encoding of the codes of configurations as features for regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.core.tensors import Array, Floats


@dataclass(frozen=True, slots=True)
class Coded:
    """An option as an encoding needs it.

    Attributes:
        codes: codes of its listed values, ascending unless it is categorical.
        categorical: whether its values are only the same or different.
        log: whether the ratios of its codes matter, not their differences.
    """

    codes: tuple[float, ...]
    categorical: bool
    log: bool


@dataclass(frozen=True, slots=True)
class Encoding:
    """How each feature is computed from its option's code. All arrays have shape [features].

    Attributes:
        groups: number of the option that the feature belongs to.
        level: code whose presence a one-hot feature marks.
        least: value that becomes 0 in any other feature.
        span: distance from `least` to the value that becomes 1.
        log: whether the feature is computed from the code's logarithm.
        one_hot: whether the feature marks one value of a categorical option.
    """

    groups: Array
    level: Floats
    least: Floats
    span: Floats
    log: Array
    one_hot: Array

    @classmethod
    def of(cls, options: Sequence[Coded]) -> Encoding:
        """Returns the encoding of these options."""
        columns = [_columns(option) for option in options]
        groups = np.repeat(np.arange(len(options)), [len(own) for own in columns])
        rows = [row for own in columns for row in own]
        level, least, span, log, one_hot = (np.array(column) for column in zip(*rows, strict=True))
        return cls(groups, level, least, span, log, one_hot)

    def features(self, codes: Floats) -> Floats:
        """Encodes configurations so that all options have the same weight.

        A categorical option has one column per value, scaled so that two different values are at distance 1.
        Every other option has one column from 0 (least value) to 1 (greatest value).

        Args:
            codes: shape [rows, options].

        Returns:
            shape [rows, features].
        """
        found = codes[:, self.groups]
        one_hot = found == self.level
        found[:, self.log] = np.log(found[:, self.log])
        found = (found - self.least) / self.span
        found[:, self.one_hot] = one_hot[:, self.one_hot] * math.sqrt(0.5)
        return found


def _columns(option: Coded) -> list[tuple[float, float, float, bool, bool]]:
    if option.categorical:
        return [(code, 0.0, 1.0, False, True) for code in option.codes]
    least, most = option.codes[0], option.codes[-1]
    if option.log:
        least, most = math.log(least), math.log(most)
    # An option with a single value has no effect.
    return [(0.0, least, most - least or 1.0, option.log, False)]
