"""A fitted performance model and its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.chooser import Chooser
from sidecar.estimation.performance.intervals import half_width
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.task import Fitted, LogPrediction, Task


@dataclass(frozen=True, slots=True)
class Prediction:
    """A metric in some configurations, on its own scale, all finite and above 0.

    Attributes:
        value: the most plausible measurement, shape [rows].
        low: lower end of its 90 % interval, the same shape.
        high: upper end.
    """

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class PerformanceModel:
    """What one metric is in any configuration, in one environment.

    Attributes:
        metric: name of the metric, which ends in its unit.
        environment: environment that it predicts, by column.
        strategy: name of the strategy.
        task: the sources and the measurements that it was fitted to.
        fitted: the fitted strategy.
    """

    metric: str
    environment: Mapping[str, str]
    strategy: str
    task: Task
    fitted: Fitted

    @property
    def space(self) -> Space:
        """The options."""
        return self.task.space

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that it was learned from; give them to `fit` again with more measurements."""
        return self.task.pool.sources

    @property
    def weights(self) -> Mapping[str, float]:
        """Strategies and their weights in a prediction, sum 1."""
        return self.fitted.weights if isinstance(self.fitted, Chooser) else {self.strategy: 1.0}

    @cached_property
    def reach(self) -> float:
        """Standard deviations from the middle to either end of an interval."""
        return half_width(self.task.values, *self.fitted.held_out)

    def log_prediction(self, codes: Floats) -> LogPrediction:
        """Mean and standard deviation of the metric's logarithm, each shape [rows]."""
        return self.fitted.predict(self.task.pool.rows(codes))

    def predict(self, codes: Floats) -> Prediction:
        """Predicts measurements.

        Args:
            codes: configurations as `Space.codes` gives them, shape [rows, options].
        """
        mean, sd = self.log_prediction(codes)
        return Prediction(np.exp(mean), np.exp(mean - self.reach * sd), np.exp(mean + self.reach * sd))
