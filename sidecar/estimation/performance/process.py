"""What the strategies that are Gaussian processes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs
from sidecar.estimation.performance.gaussian_process import GaussianProcess
from sidecar.estimation.performance.hyperparameters import Prior
from sidecar.estimation.performance.source import SLOPE_SD, learn_hyperparameters
from sidecar.estimation.performance.task import Learned, LogPrediction, Rows, Task

# The logarithm of a length scale learned in the source: beyond these an option does not count at all,
# or each of its values stands alone.
_SHORTEST, _LONGEST = -1.5, 2.0
# How far an option may count more or less in the target than in the source: a factor of 2.
_SCALE_SPREAD: Final = 0.7


@dataclass(frozen=True)
class Process:
    """A fitted process over rows."""

    process: GaussianProcess
    inputs: Callable[[Rows], Inputs]

    @property
    def learned(self) -> Learned:
        """The hyperparameters."""
        return {"draws": self.process.draws, "weights": self.process.weights}

    @cached_property
    def held_out(self) -> LogPrediction:
        """Each measured row predicted without itself."""
        return self.process.held_out()

    def predict(self, rows: Rows) -> LogPrediction:
        """Predicts measurements."""
        return self.process.predict(self.inputs(rows))


def fit_process(task: Task, learned: Learned, inputs: Callable[[Rows], Inputs], prior: Prior) -> Process:
    """Fits a process, with the hyperparameters where they are known already."""
    given, reference = inputs(task.measured), task.pool.reference
    if learned:
        draws, weights = learned["draws"], learned["weights"]
    else:
        draws, weights = learn_hyperparameters(given, task.values, reference, prior)
    return Process(GaussianProcess(given, task.values, reference, draws, weights), inputs)


def plain(task: Task, rows: Rows) -> Inputs:
    """Options only."""
    return Inputs(rows.features, task.space.groups, np.empty((len(rows), 0)), None)


def transferred(task: Task, rows: Rows) -> Inputs:
    """Options, what the sources say together, and in what they differ."""
    return Inputs(rows.features, task.space.groups, rows.factors / SLOPE_SD, np.exp(rows.pooled))


def beside_source(task: Task, rows: Rows) -> Inputs:
    """The same, and what the sources say as one more option, so that errors may depend on it."""
    inputs = transferred(task, rows)
    own = source_feature(task, rows)[:, None]
    groups = np.append(task.space.groups, len(task.space.options))
    return replace(inputs, features=np.concatenate([inputs.features, own], axis=1), groups=groups)


def source_feature(task: Task, rows: Rows) -> Floats:
    """What the sources say on the scale of features: four standard deviations are 0 to 1."""
    centre = np.log(task.pool.reference.mean)
    scaled: Floats = 0.5 + (rows.pooled - centre) / (4.0 * (task.pool.deviation or 1.0))
    return scaled


def with_source_scales(task: Task, prior: Prior) -> Prior:
    """A prior whose length scales are around those of the sources, as far as it has the same options."""
    found = [source.weights @ source.draws[:, 5:] for source in task.pool.sources]
    scales = np.clip(np.mean(found, axis=0), _SHORTEST, _LONGEST)
    mean, sd = prior.mean.copy(), prior.sd.copy()
    mean[5 : 5 + len(scales)] = scales
    sd[5 : 5 + len(scales)] = _SCALE_SPREAD
    return Prior(mean, sd)
