"""Intervals for means over items or partitions of the window, where no two units need be alike."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from sidecar.domain.ranking import Estimate
from sidecar.domain.tensors import Array

LEVEL = 0.9
# Standard deviations from the middle to either end of an interval at LEVEL.
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def mean_estimate(scores: Array, bounds: tuple[float, float]) -> Estimate:
    """Takes a mean of bounded scores with its interval.

    Two made-up scores, one at either bound, keep the interval open where all scores are equal
    or few: one matching partition does not prove that all would match.

    Args:
        scores: one a unit, at least one, within `bounds`.
        bounds: least and greatest possible score.

    References:
        Agresti & Coull 1998, from proportions taken to bounded means.
    """
    value = float(scores.mean())
    padded = np.concatenate([scores, bounds])
    half = Z * float(padded.std()) / len(padded) ** 0.5
    middle = float(padded.mean())
    low, high = max(middle - half, bounds[0]), min(middle + half, bounds[1])
    return Estimate(value, min(low, value), max(high, value), LEVEL)
