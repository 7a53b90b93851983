"""Moment shift: how far the window's means and deviations lie from the source's, in the window's unit."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence, TargetStatistics
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.columns import Columns, columns_of
from sidecar.estimation.measures.interval import LEVEL, Z
from sidecar.estimation.measures.scale import deviations, least_deviation

# A feature that lies farther away than this, in deviations, says no more than that it is elsewhere.
_FARTHEST = 10.0


def moment_shift(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the root mean squares over features of the shift in location and in scale, added.

    All sources are measured in the window's deviations. In its own, a source that varies much would
    look near to everything. The interval bounds the error of the window's mean and deviation
    whatever the correlation of features, as |x + e| differs from |x| by at most |e|.

    A text column counts as one feature: the mean over its word buckets.

    Returns:
        value of each candidate; 0 where window and source share all means and deviations.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        columns = columns_of(profile)
        value = sum(_root_mean_square(columns, one) for one in _apart(profile, target))
        # Of a mean 1 / n, of a logarithm of a deviation 1 / 2n, for n values near a normal law.
        noise = 1 / target.items + 1 / profile.rows
        half = Z * (noise**0.5 + (noise / 2) ** 0.5)
        answers.append(Estimate(value, max(value - half, 0.0), value + half, LEVEL))
    return tuple(answers)


def _apart(profile: SourceProfile, target: TargetStatistics) -> tuple[Floats, Floats]:
    """Each feature's shift in location and in the logarithm of its scale [d]."""
    unit = deviations(target.variance)
    # Both sides have one floor: a feature that is constant in both has the same scale in both.
    source = np.maximum(np.sqrt(profile.variance), least_deviation(target.variance))
    return (target.mean - profile.mean) / unit, np.log(unit / source)


def _root_mean_square(columns: Columns, values: Floats) -> float:
    squares = np.clip(values, -_FARTHEST, _FARTHEST) ** 2
    return float(np.sqrt(columns.means(squares).mean()))
