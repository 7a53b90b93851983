"""MMD: how far window and source lie apart as distributions of whole items, not feature by feature."""

from __future__ import annotations

import math

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.interval import jackknife


def mmd(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the squared maximum mean discrepancy, without bias, from random Fourier features.

    Where window and source lie more than two kernel widths apart it hardly grows any more. The
    interval is the jackknife's over target partitions.

    Returns:
        value of each candidate: about 0, or a little less, where both are alike; at most about 2.

    References:
        Gretton et al. 2012, unbiased; Rahimi & Recht 2007 for the features, see
        `sidecar.estimation.measures.fourier`.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        parts, rows = len(target.fourier), profile.partition_rows
        whole = target.fourier.sum(axis=0)
        value = squared_mmd(whole / parts, parts * rows, profile.fourier, profile.fourier_rows)
        others = (whole - target.fourier) / (parts - 1)
        without_one = squared_mmd(others, (parts - 1) * rows, profile.fourier, profile.fourier_rows)
        answers.append(jackknife(float(value), without_one, (-math.inf, math.inf)))
    return tuple(answers)


def squared_mmd(first: Floats, first_rows: int, second: Floats, second_rows: int) -> Floats:
    """Takes the squared distance of two mean features, less what sampling alone makes of it.

    A mean's squared length holds each row with itself, which tells nothing; one row's is 1.

    Args:
        first: mean features [..., 2 FOURIER_FREQUENCIES].
        first_rows: behind each mean, at least 2.
        second: mean features [2 FOURIER_FREQUENCIES].
        second_rows: behind it, at least 2.

    Returns:
        shape of the leading axes of `first`.
    """
    alike = _pairs(first, first_rows) + _pairs(second, second_rows)
    return np.asarray(alike - 2 * first @ second)


def _pairs(mean: Floats, rows: int) -> Floats:
    """The mean inner product of two different rows."""
    return np.asarray((rows * (mean**2).sum(axis=-1) - 1) / (rows - 1))
