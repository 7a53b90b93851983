"""A source: the metric in any configuration of one environment, estimated without measurement noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs, Reference
from sidecar.estimation.performance.faults import sound
from sidecar.estimation.performance.gaussian_process import GaussianProcess, spread
from sidecar.estimation.performance.hyperparameters import Prior
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.estimation.performance.terms import Term, stepwise

# Of the logarithm of the metric: typical deviation of options' effects, of noise (3 %), and how far
# either may be off (a factor of e in one of three cases).
EFFECTS_SD: Final = 0.5
NOISE_SD: Final = 0.03
# And of an environment's answer to the source's logarithm: a slope of 1, give or take this.
SLOPE_SD: Final = 0.3
_SPREAD: Final = 1.0
# Robust deviations beyond which a measurement is a fault of measuring, such as a clock's zero. Options
# alone reach 4 in the tables this was tried on.
_OUTLYING: Final = 8.0
# The median absolute deviation of a normal distribution, in standard deviations.
_MAD: Final = 0.6745
# Rows that influential options are told by.
_TERM_ROWS: Final = 512
_NO_REFERENCE: Final = Reference(1.0, 1.0)


def log_metric(table: PerformanceTable, metric: str) -> Floats:
    """Returns the logarithms of a metric that can be learned, shape [rows].

    Raises:
        InvalidError: the table lacks it, or it is the same in all rows.
    """
    values = table.metric(metric)
    if len(values) > 1 and (values == values[0]).all():
        place = ", ".join(table.environment.values())
        raise InvalidError(
            f"metric {metric!r} is {values[0]:g} in all {len(values)} rows{place and f' of {place}'}: no "
            "option moves it there, so there is nothing to learn: leave it out or measure other "
            "configurations"
        )
    return np.log(values)


def prior(options: int, *, effects_sd: float = EFFECTS_SD, slope_sd: float = SLOPE_SD) -> Prior:
    """What is known before anything was measured.

    Args:
        options: how many.
        effects_sd: typical deviation of d, of the logarithm.
        slope_sd: typical deviation of the linear terms' coefficients.
    """
    mean = [np.log(effects_sd), np.log(NOISE_SD), np.log(slope_sd), 0.0, 0.0, *np.zeros(options)]
    # 0.6: the shift stays within half of the source in two of three cases; 1.5: the linear share is
    # anything from a fifth to four fifths.
    sd = [_SPREAD, _SPREAD, _SPREAD, 0.6, 1.5, *np.full(options, _SPREAD)]
    return Prior(np.array(mean), np.array(sd))


@dataclass(frozen=True)
class Source:
    """A table with the process that was learned from it.

    Attributes:
        space: its options.
        metric: name of the learned metric.
        environment: environment that it was measured in, by column.
        codes: the configurations, shape [rows, options].
        values: logarithms of the metric, outliers drawn in, shape [rows].
        draws: hyperparameters, shape [draws, 5 + options].
        weights: weights of the draws, shape [draws].
    """

    space: Space
    metric: str
    environment: dict[str, str]
    codes: Floats
    values: Floats
    draws: Floats
    weights: Floats

    @classmethod
    def learn(cls, table: PerformanceTable, metric: str) -> Source:
        """Learns a metric from a table.

        Raises:
            InvalidError: the table lacks the metric, or it is the same in all rows.
        """
        values = log_metric(table, metric)
        middle = np.median(values)
        reach = _OUTLYING * np.median(np.abs(values - middle)) / _MAD
        if reach:
            values = np.clip(values, middle - reach, middle + reach)
        inputs = _inputs(table.space, table.codes)
        draws, weights = learn_hyperparameters(inputs, values, _NO_REFERENCE, prior(len(table.space.options)))
        environment = dict(table.environment)
        return cls(table.space, metric, environment, table.codes, values, draws, weights)

    @cached_property
    def process(self) -> GaussianProcess:
        """The process given the table."""
        inputs = _inputs(self.space, self.codes)
        return GaussianProcess(inputs, self.values, _NO_REFERENCE, self.draws, self.weights)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The options and pairs that move the metric here, strongest first."""
        chosen = spread(len(self.values), _TERM_ROWS)
        features = self.space.features(self.codes[chosen])
        return tuple(stepwise(features, self.space.groups, self.values[chosen]))

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {codes.tobytes(): row for row, codes in enumerate(self.codes)}

    def at(self, codes: Floats) -> Floats:
        """Returns the logarithm of the metric without noise in configurations, measured or not.

        A configuration of the table counts with its own measurement: in the process, where it was given
        that row, or else beside it.

        Args:
            codes: shape [rows, options].

        Returns:
            shape [rows].
        """
        places = self._places
        rows = np.array(
            [places.get(row.tobytes(), -1) for row in np.ascontiguousarray(codes)], dtype=np.int64
        )
        found = self._without_noise[rows]
        unknown = (rows < 0) | ~np.isfinite(found)
        if unknown.any():
            mean, sd = self.process.predict(_inputs(self.space, codes[unknown]))
            own = rows[unknown]
            variance = np.maximum(sd**2 - self.process.noise, 0.0)
            errors = self.values[own] - mean
            gain = sound(errors, sd**2) * variance / (variance + self.process.noise)
            found[unknown] = mean + np.where(own < 0, 0.0, gain * errors)
        return found

    @cached_property
    def _without_noise(self) -> Floats:
        """The rows that the process was given, shape [rows]; infinite where it was not."""
        found = np.full(len(self.codes), np.inf)
        found[self.process.rows] = self.process.without_noise()
        return found


def learn_hyperparameters(
    inputs: Inputs, values: Floats, reference: Reference, prior: Prior
) -> tuple[Floats, Floats]:
    """Calls `learning.learn`, which is imported here only: the service predicts without scipy.

    Raises:
        InvalidError: scipy is not installed.
    """
    try:
        from sidecar.estimation.performance.learning import learn  # noqa: PLC0415 - it needs an extra
    except ImportError as error:
        raise InvalidError(
            "fitting a performance model needs scipy, which is not installed: "
            "run `pip install 'pilotfish[perf]'`"
        ) from error
    return learn(inputs, values, reference, prior)


def _inputs(space: Space, codes: Floats) -> Inputs:
    return Inputs(space.features(codes), space.groups, np.empty((len(codes), 0)), None)
