"""Moves predictions of serving times by what was timed of the same model elsewhere in this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats

# Standard deviations from the middle to the ends of a 90 % interval, and to the lower quartile, of a
# normal distribution.
_DEVIATIONS_90: Final = 1.6448536269514722
_DEVIATIONS_QUARTILE: Final = 0.6744897501960817
# A shadow run shares its caches and its memory with the model server whatever its times say: no
# agreement among them makes their common error smaller than a tenth.
_LEAST_ERROR: Final = 0.1


@dataclass(frozen=True, slots=True)
class Timing:
    """How long runs of the model took in a configuration of their own.

    Attributes:
        predicted: prediction of the performance model for that configuration, seconds.
        lower_quartile_s: lower quartile of the runs; it stands for their time, as other load only adds time.
        median_s: median of the runs.
        likeness: likeness of that configuration to the requested configuration, 0..1; see `likeness`.
    """

    predicted: Estimate
    lower_quartile_s: float
    median_s: float
    likeness: float


@dataclass(frozen=True, slots=True)
class Shift:
    """What timings say of the model's error where it is asked.

    Attributes:
        factor: factor that a time is multiplied by.
        narrowing: factor, 0..1, that the model's own deviation of the logarithm is multiplied by.
    """

    factor: float
    narrowing: float


def likeness(features: Floats, others: Floats) -> float:
    """How far the model's errors in two configurations go together: exp(-d^2 / 2) of their distance.

    One option's whole range, or another value of a categorical one, is a distance of 1.

    Args:
        features: one configuration as `Space.features` encodes it, shape [features].
        others: the other.
    """
    return math.exp(-float(np.sum((features - others) ** 2)) / 2)


def shift(predicted: Estimate, timing: Timing) -> Shift:
    """Infers the model's error where it is asked from its error where runs were timed.

    The errors' logarithms are jointly normal with the deviations of the model's own intervals and
    correlation `likeness`; the timing has an error of its own, which the spread of the runs shows. The
    answer is the conditional mean and deviation.

    Args:
        predicted: the time that the model predicts where it is asked, seconds.
        timing: the runs.
    """
    here, there = _deviation(predicted), _deviation(timing.predicted)
    spread = math.log(timing.median_s / timing.lower_quartile_s) / _DEVIATIONS_QUARTILE
    error = max(spread, _LEAST_ERROR)
    if not there:
        return Shift(1.0, 1.0)
    weight = there**2 / (there**2 + error**2)
    seen = math.log(timing.lower_quartile_s / timing.predicted.value)
    return Shift(
        factor=math.exp(timing.likeness * here / there * weight * seen),
        narrowing=math.sqrt(1 - timing.likeness**2 * weight),
    )


def moved(predicted: Estimate, factor: float, narrowing: float) -> Estimate:
    """The estimate times a factor, its interval narrowed on the logarithm."""
    value = predicted.value * factor
    return Estimate(
        value=value,
        low=value * (predicted.low / predicted.value) ** narrowing,
        high=value * (predicted.high / predicted.value) ** narrowing,
        level=predicted.level,
    )


def _deviation(predicted: Estimate) -> float:
    """Of the prediction's logarithm."""
    return math.log(predicted.high / predicted.low) / 2 / _DEVIATIONS_90
