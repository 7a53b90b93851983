"""One transfer: what the sources say together, and what was measured in the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeAlias

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.covariance import Reference
from sidecar.estimation.performance.gaussian_process import spread
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Space

# Mean and standard deviation of the logarithm of the metric, each shape [rows].
LogPrediction: TypeAlias = tuple[Floats, Floats]
# What took time to learn, by name: a strategy given it back does not learn it again.
Learned: TypeAlias = Mapping[str, Floats]

# Configurations on which the sources are compared; their factors change little with more.
_COMPARED: Final = 512
# Rows are left out in so many groups, at most.
_FOLDS: Final = 10
# Factors of the sources that explain less than this share of what sets the sources apart are noise.
_LEAST_FACTOR: Final = 1e-3
# Before anything was measured, two environments differ by a factor of 10 in one of three cases.
UNMEASURED_SD: Final = float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class Rows:
    """Configurations, with everything that a strategy may use of them.

    Attributes:
        codes: shape [rows, options].
        features: shape [rows, features].
        each: what each source says, logarithm, shape [rows, sources].
        pooled: what they say together, logarithm, shape [rows].
        factors: in what the sources differ, scaled by how far they lie apart, shape [rows, factors].
    """

    codes: Floats
    features: Floats
    each: Floats
    pooled: Floats
    factors: Floats

    def __len__(self) -> int:
        return len(self.codes)

    def chosen(self, rows: Array) -> Rows:
        """Returns these rows."""
        return Rows(
            self.codes[rows], self.features[rows], self.each[rows], self.pooled[rows], self.factors[rows]
        )


class Fitted(Protocol):
    """A strategy that has seen the target's measurements."""

    @property
    def learned(self) -> Learned:
        """Arrays from which the same strategy is made again without learning."""

    @property
    def held_out(self) -> LogPrediction:
        """Each measured row predicted without itself."""

    def predict(self, rows: Rows) -> LogPrediction:
        """Predicts measurements."""


@dataclass(frozen=True)
class Pool:
    """All sources together.

    Attributes:
        space: the options of all of them.
        sources: any number of sources.
    """

    space: Space
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        for source in self.sources:
            if source.space != self.space:
                raise InvalidError(
                    f"the source measured in {', '.join(source.environment.values()) or 'another table'} has "
                    "other options than the target: measure them over the same space"
                )

    @cached_property
    def _compared(self) -> Floats:
        """What each source says of the first one's configurations, shape [rows, sources]."""
        codes = self.sources[0].codes
        return self._each(codes[spread(len(codes), _COMPARED)])

    def _each(self, codes: Floats) -> Floats:
        return np.stack([source.at(codes) for source in self.sources], axis=1)

    @cached_property
    def reference(self) -> Reference:
        """The pooled sources' least value and geometric mean."""
        if not self.sources:
            return Reference(1.0, 1.0)
        pooled = self._compared.mean(axis=1)
        return Reference(float(np.exp(pooled.min())), float(np.exp(pooled.mean())))

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of what the sources say together over the options; 1 without sources."""
        return float(self._compared.mean(axis=1).std()) if self.sources else 1.0

    @cached_property
    def _factors(self) -> Floats:
        """Directions in which the sources differ, shape [sources, factors]."""
        if len(self.sources) < 2:  # noqa: PLR2004 - one source differs from nothing
            return np.empty((len(self.sources), 0))
        apart = self._compared - self._compared.mean(axis=0)
        apart -= apart.mean(axis=1, keepdims=True)
        strength, directions = np.linalg.svd(apart, full_matrices=False)[1:]
        kept = strength**2 > _LEAST_FACTOR * (strength**2).sum()
        # Over the sources a unit direction has mean square 1 / sources: a new environment's coefficients
        # are taken to be of their size.
        factors: Floats = directions[kept].T / np.sqrt(len(self.sources))
        return factors

    @cached_property
    def _level(self) -> Floats:
        level: Floats = self._compared.mean(axis=0)
        return level

    def rows(self, codes: Floats) -> Rows:
        """Looks configurations up.

        Args:
            codes: shape [rows, options].
        """
        features = self.space.features(codes)
        if not self.sources:
            nothing = np.empty((len(codes), 0))
            return Rows(codes, features, nothing, np.zeros(len(codes)), nothing)
        each = self._each(codes)
        pooled = each.mean(axis=1)
        centred = each - self._level
        factors = (centred - centred.mean(axis=1, keepdims=True)) @ self._factors
        return Rows(codes, features, each, pooled, factors)


@dataclass(frozen=True)
class Task:
    """The sources and measurements that a strategy learns from.

    Attributes:
        pool: the sources.
        measured: the measured configurations of the target.
        values: logarithms of the metric in them, shape [rows].
    """

    pool: Pool
    measured: Rows
    values: Floats

    @property
    def space(self) -> Space:
        """The options."""
        return self.pool.space


def left_out(count: int, folds: int) -> Sequence[Array]:
    """Groups of row numbers to leave out in turn: single rows where there are few."""
    folds = min(count, folds)
    return [np.arange(fold, count, folds) for fold in range(folds)]


def residual_deviation(errors: Floats) -> float:
    """Root mean square of held-out errors of the logarithm; wide where there are none."""
    # The smallest step of time that is told apart is a part in a million.
    return float(np.sqrt((errors**2).mean())) + 1e-6 if len(errors) else UNMEASURED_SD


@dataclass(frozen=True)
class Curve:
    """A fitted strategy without a distribution of its own: one error everywhere.

    Attributes:
        mean: predicts the logarithm.
        held_out: predictions of the measured rows, each without itself.
        sd: standard deviation of the errors of rows that were left out.
    """

    mean: Callable[[Rows], Floats]
    held_out: LogPrediction
    sd: float

    @property
    def learned(self) -> Learned:
        """No arrays, because a new fit takes no time."""
        return {}

    def predict(self, rows: Rows) -> LogPrediction:
        """Predicts measurements."""
        return self.mean(rows), np.full(len(rows), self.sd)


def curve(task: Task, fit: Callable[[Rows, Floats], Callable[[Rows], Floats]], folds: int = _FOLDS) -> Curve:
    """Fits a function of the rows, and again with each group of rows left out.

    Args:
        task: what to learn from.
        fit: takes rows and their logarithms, returns the function.
        folds: groups of rows that are left out, at most.
    """
    count = len(task.values)
    means = np.empty(count)
    for rows in left_out(count, folds):
        kept = np.setdiff1d(np.arange(count), rows)
        means[rows] = fit(task.measured.chosen(kept), task.values[kept])(task.measured.chosen(rows))
    errors = task.values - means
    # A row's own error must not tell how far it may be off.
    sds = np.array([residual_deviation(np.delete(errors, row)) for row in range(count)])
    return Curve(fit(task.measured, task.values), (means, sds), residual_deviation(errors))
