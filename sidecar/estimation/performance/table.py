"""What was measured in one environment: configurations and their metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.close_names import close_names
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.space import Space

# The units a metric's name ends in.
UNITS: Final = {
    "s": "seconds",
    "w": "watts",
    "j": "joules",
    "bytes": "bytes",
    "per_s": "per second",
    "hz": "hertz",
    "usd": "dollars",
    "ratio": "a share or a ratio",
}
# What may follow the unit: the ends of a measurement's own interval.
BOUNDS: Final = ("low", "high")
_METRIC: Final = re.compile(rf"\w+_({'|'.join(UNITS)})(_({'|'.join(BOUNDS)}))?")
# Repeated measurements of one configuration differ by a few per cent; what is further apart has another
# cause, such as an option that is not in the table.
_SAME: Final = 1.25


@dataclass(frozen=True, slots=True)
class PerformanceTable:
    """The measurements of one environment; each configuration once.

    Attributes:
        space: the options.
        environment: where it was measured, by column (hardware, server, model, workload).
        codes: the configurations as `Space.code` has them, shape [rows, options].
        metrics: each shape [rows], finite and above 0, by a name that ends in its unit; NAME_low and
            NAME_high beside NAME bound the measurement.
    """

    space: Space
    environment: Mapping[str, str]
    codes: Floats
    metrics: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.codes)

    def __post_init__(self) -> None:
        if self.codes.shape != (len(self.codes), len(self.space.options)):
            raise InvalidError(
                f"the table's configurations have shape {self.codes.shape}: "
                f"give {len(self.space.options)} options each"
            )
        if not self.metrics:
            raise InvalidError("the table has no metric: add a column such as latency_s")
        for name, values in self.metrics.items():
            check_metric_name(name)
            if values.shape != (len(self.codes),):
                raise InvalidError(
                    f"metric {name!r} has shape {values.shape}: give one value for each of "
                    f"{len(self.codes)} configurations"
                )
            wrong = ~(np.isfinite(values) & (values > 0))
            if wrong.any():
                row = int(wrong.argmax())
                raise InvalidError(
                    f"metric {name!r} is {values[row]:g} in data row {row + 1}: a measurement is a "
                    "number above 0: measure it again or leave the row out"
                )

    def metric(self, name: str) -> Floats:
        """Returns one metric's values, shape [rows].

        Raises:
            InvalidError: the table has no such metric.
        """
        if name in self.metrics:
            return self.metrics[name]
        near = close_names(name, self.metrics, 3) or list(self.metrics)
        raise InvalidError(f"the table has no metric {name!r}; it has {', '.join(near)}")

    def rows(self, chosen: Array) -> PerformanceTable:
        """Returns a table of these rows, in this order.

        Args:
            chosen: row numbers or a mask.
        """
        metrics = {name: values[chosen] for name, values in self.metrics.items()}
        return PerformanceTable(self.space, self.environment, self.codes[chosen], metrics)


def check_metric_name(name: str) -> None:
    """Refuses a metric whose name does not say its unit.

    Raises:
        InvalidError: it does not.
    """
    if not _METRIC.fullmatch(name):
        units = ", ".join(f"_{unit} ({meaning})" for unit, meaning in UNITS.items())
        raise InvalidError(
            f"metric {name!r} does not say its unit: let the name end in one of {units}; "
            f"its bounds in _low and _high after that"
        )


def merged(table: PerformanceTable, numbers: Array) -> PerformanceTable:
    """Makes one row of rows that measured the same configuration: the median of each metric.

    Args:
        table: in which a configuration may stand several times.
        numbers: what a message calls each row, shape [rows].

    Raises:
        InvalidError: such rows disagree.
    """
    first, groups = np.unique(table.codes, axis=0, return_index=True, return_inverse=True)[1:]
    if len(first) == len(table):
        return table
    groups = groups.reshape(-1)
    members = [np.flatnonzero(groups == group) for group in range(len(first))]
    for rows in members:
        for name, values in table.metrics.items():
            low, high = rows[values[rows].argmin()], rows[values[rows].argmax()]
            if not name.endswith(BOUNDS) and values[high] > _SAME * values[low]:
                raise InvalidError(
                    f"metric {name!r} is {values[low]:g} in data row {numbers[low]} and {values[high]:g} in "
                    f"data row {numbers[high]}, which have the same configuration and environment: leave "
                    "one out, or add the option in which they differ"
                )
    order = np.argsort(first)
    metrics = {
        name: np.array([np.median(values[members[group]]) for group in order])
        for name, values in table.metrics.items()
    }
    return PerformanceTable(table.space, table.environment, table.codes[first[order]], metrics)
