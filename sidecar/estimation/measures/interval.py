"""Intervals over items or partitions of the window, where no two units need be alike."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats

LEVEL = 0.9
# Standard deviations from the middle to either end of an interval at LEVEL.
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def mean_estimate(scores: Array, bounds: tuple[float, float]) -> Estimate:
    """Takes a mean of scores with its interval; what the profile says is taken as exact.

    Two made-up scores, one at either bound, keep the interval open where all scores are equal
    or few: one matching partition does not prove that all would match.

    Args:
        scores: one a unit, at least one. For a statistic that is no mean, its value and how far the
            unit moves it: the interval is then the delta method's.
        bounds: least and greatest possible value; for a mean, of a score too.

    References:
        Agresti & Coull 1998, from proportions taken to bounded means.
    """
    # Single precision is that of answers over many classes; sums of them are taken in double.
    scores = scores.astype(np.float64, copy=False)
    value = min(max(float(scores.mean()), bounds[0]), bounds[1])
    padded = np.concatenate([scores, bounds])
    half = Z * float(padded.std()) / len(padded) ** 0.5
    middle = float(padded.mean())
    low, high = max(middle - half, bounds[0]), min(middle + half, bounds[1])
    return Estimate(value, min(low, value), max(high, value), LEVEL)


def jackknife(value: float, without_one: Floats, bounds: tuple[float, float]) -> Estimate:
    """Gives a statistic of several partitions or blocks its interval.

    Args:
        value: value over all parts.
        without_one: value without each part in turn; at least two parts.
        bounds: least and greatest possible value.

    References:
        Efron & Stein 1981.
    """
    half = Z * float(np.sqrt((len(without_one) - 1) * without_one.var()))
    return Estimate(value, max(value - half, bounds[0]), min(value + half, bounds[1]), LEVEL)
