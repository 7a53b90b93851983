"""Column shift: how far the window's columns lie from the source's, beyond what sampling makes of it.

The distance is squared and without bias: traffic from the source itself lies at 0 on average, however few
rows there are and however many columns are constant. So a value beyond its noise is a shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence, TargetStatistics
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.columns import Columns, columns_of
from sidecar.estimation.measures.interval import LEVEL, Z

# What is expected of a source's noise before its partitions are looked at counts as so many of them.
_PRIOR_PARTITIONS: Final = 4
# Columns move together: k of them average noise as k ** (1 / 2) independent ones do.
_TOGETHER: Final = 0.25
# One column of a source's own lies farther away than its noise allows in one window of twenty.
_FALSE_ALARM: Final = 0.05


@dataclass(frozen=True, slots=True)
class ColumnShift:
    """How far a window lies from a source.

    Attributes:
        mean: over the columns that vary; 0 on average for the source itself, 1 where no value is shared.
        noise: standard deviation of the mean for a window of the source itself.
        farthest: shift of the column whose shift is largest relative to its own noise.
        farthest_noise: the shift of that column that chance makes in one window of twenty, over 1.64, so
            that both pairs read alike.
    """

    mean: float
    noise: float
    farthest: float
    farthest_noise: float


def column_shift(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean squared distance of the columns' histograms, relative to their squared lengths.

    Returns:
        value of each candidate, -1 to 1; about 0 for traffic like the source.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        found = shift_of(profile, target)
        half = Z * found.noise
        answers.append(Estimate(found.mean, found.mean - half, found.mean + half, LEVEL))
    return tuple(answers)


def shift_of(profile: SourceProfile, target: TargetStatistics) -> ColumnShift:
    """Compares a window with a source, column by column.

    Args:
        profile: profile of the source.
        target: features of the window, with at least one item.
    """
    columns = columns_of(profile)
    whole = profile.feature_counts.sum(axis=0)
    if not len(whole):
        return _by_moments(profile, target)
    rows = 1 / target.items + 1 / max(whole[0].sum(), 1)
    apart = _apart(columns, target.histogram, whole)
    varying = np.isfinite(apart)
    if not varying.any():
        return ColumnShift(0.0, 0.0, 0.0, 0.0)
    each, heaviest = _column_noise(columns, whole)
    limits = rows * _tail(each[varying], heaviest[varying]) / Z
    worst = int(np.argmax(apart[varying] / np.maximum(limits, np.finfo(float).tiny)))
    return ColumnShift(
        mean=float(apart[varying].mean()),
        noise=rows * _mean_noise(profile, columns, whole, each),
        farthest=float(apart[varying][worst]),
        farthest_noise=float(limits[worst]),
    )


def _apart(columns: Columns, window: Array, source: Array) -> Floats:
    """Squared distance of histograms without bias over the squared lengths, by column.

    Args:
        columns: columns of the features.
        window: counts [..., d, bins].
        source: counts [..., d, bins].

    Returns:
        [..., k]; NaN for a column that does not vary on either side.
    """
    first, second = (np.maximum(counts.sum(axis=-1, keepdims=True), 1) for counts in (window, source))
    one, other = window / first, source / second
    # Of a squared share, what its sampling variance adds on average.
    noise = one * (1 - one) / np.maximum(first - 1, 1) + other * (1 - other) / np.maximum(second - 1, 1)
    squares = columns.sums(np.where(columns.counted, (one - other) ** 2 - noise, 0).sum(axis=-1))
    lengths = columns.sums(np.where(columns.counted, one**2 + other**2, 0).sum(axis=-1))
    varies = columns.sums((((one > 0) | (other > 0)).sum(axis=-1) > 1).astype(np.float64)) > 0
    known = varies & (lengths > 0)
    return np.where(known, squares / np.where(known, lengths, 1), np.nan)


def _column_noise(columns: Columns, whole: Array) -> tuple[Floats, Floats]:
    """Each column's standard deviation for one row against one, and its heaviest part of it [k]."""
    shares = whole / np.maximum(whole.sum(axis=-1, keepdims=True), 1)
    spread = np.where(columns.counted, shares * (1 - shares), 0)
    squares = np.sqrt(2 * columns.sums((spread**2).sum(axis=-1)))
    lengths = 2 * columns.sums(np.where(columns.counted, shares**2, 0).sum(axis=-1))
    heaviest = 2 * np.maximum.reduceat(spread.max(axis=-1), columns.starts)
    known = lengths > 0
    lengths = np.where(known, lengths, 1)
    return np.where(known, squares / lengths, 0), np.where(known, heaviest / lengths, 0)


def _tail(each: Floats, heaviest: Floats) -> Floats:
    """What none of the columns exceeds by chance but in one window of twenty [k].

    References:
        Laurent & Massart 2000, lemma 1, for weighted sums of squares; Bonferroni over the columns.
    """
    level = np.log(len(each) / _FALSE_ALARM)
    return np.asarray(each * np.sqrt(2 * level) + heaviest * level)


def _mean_noise(profile: SourceProfile, columns: Columns, whole: Array, each: Floats) -> float:
    """Standard deviation of the mean over columns for one row against one.

    The source's partitions show it, each against the others; few of them show little, so what columns of
    their shares would have that partly move together counts too.
    """
    some = each[each > 0]
    if not len(some):
        return 0.0
    expected = float(some.mean() / np.float64(len(some)) ** _TOGETHER)
    counts = profile.feature_counts
    if len(counts) < 2:  # noqa: PLR2004 - a partition needs others
        return expected
    size = profile.partition_rows
    apart = _apart(columns, counts, whole - counts)
    varying = np.isfinite(apart)
    means = np.where(varying, apart, 0).sum(axis=-1) / np.maximum(varying.sum(axis=-1), 1)
    means /= 1 / size + 1 / (size * (len(counts) - 1))
    squares = (means**2).sum() + _PRIOR_PARTITIONS * expected**2
    return float(np.sqrt(squares / (len(means) + _PRIOR_PARTITIONS)))


def _by_moments(profile: SourceProfile, target: TargetStatistics) -> ColumnShift:
    """The same by means and variances, where there are too many features for histograms."""
    columns = columns_of(profile)
    rows = 1 / target.items + 1 / profile.rows
    squares = (target.mean - profile.mean) ** 2
    noise = target.variance / max(target.items - 1, 1) + profile.variance / max(profile.rows - 1, 1)
    lengths = columns.sums(squares + target.variance + profile.variance)
    varies = lengths > 0
    if not varies.any():
        return ColumnShift(0.0, 0.0, 0.0, 0.0)
    apart = columns.sums(squares - noise)[varies] / lengths[varies]
    each = np.full(len(apart), np.sqrt(0.5))
    limits = rows * _tail(each, each) / Z
    worst = int(np.argmax(apart))
    mean_noise = rows * float(each[0]) / len(apart) ** _TOGETHER
    return ColumnShift(float(apart.mean()), mean_noise, float(apart[worst]), float(limits[worst]))
