"""An axis of a plot: from values to pixels, and where its ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats

# Values that span more than this factor are drawn on a logarithmic axis.
_WIDE: Final = 20.0
# Room at both ends, as a share of the span, so that no mark lies on the frame.
_ROOM: Final = 0.04
_EQUAL: Final = 1e-9
_MOST_TICKS: Final = 8
# Steps that people count in, within a decade.
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high` at the pixels `start` to `end`.

    Attributes:
        low: least value; its decimal logarithm where `logarithmic`.
        high: greatest value, the same way.
        start: pixel of `low`.
        end: pixel of `high`.
        logarithmic: whether equal ratios take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Floats, start: float, end: float) -> Axis:
        """The axis that holds all values, which are above 0."""
        least, most = float(values.min()), float(values.max())
        logarithmic = most > _WIDE * least
        low, high = (math.log10(least), math.log10(most)) if logarithmic else (least, most)
        # Values that only rounding tells apart stand in the middle; on a logarithmic axis there are none.
        room = _ROOM * (high - low) if high - low > _EQUAL * abs(high) else high / 2
        return cls(low - room, high + room, start, end, logarithmic)

    def pixels(self, values: Array) -> Floats:
        """Where values stand; of the same shape."""
        scaled = np.log10(values) if self.logarithmic else np.asarray(values, dtype=np.float64)
        return np.asarray(self.start + (self.end - self.start) * (scaled - self.low) / (self.high - self.low))

    def ticks(self) -> Sequence[float]:
        """Round values on the axis, a handful."""
        if not self.logarithmic:
            return _multiples(self.low, self.high)
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for mantissas in ((1, 2, 5), (1, 3), (1,)):
            ticks = self._inside(m * 10.0**decade for decade in decades for m in mantissas)
            if len(ticks) <= _MOST_TICKS:
                return ticks
        return ticks[:: math.ceil(len(ticks) / _MOST_TICKS)]

    def _inside(self, values: Iterable[float]) -> list[float]:
        return [value for value in values if self.low <= math.log10(value) <= self.high]


def _multiples(low: float, high: float) -> list[float]:
    least = (high - low) / _MOST_TICKS
    decade = 10.0 ** math.floor(math.log10(least))
    step = next(one * decade for one in _STEPS if one * decade >= least)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
