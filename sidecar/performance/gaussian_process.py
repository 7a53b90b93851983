"""Gaussian processes whose hyperparameters are averaged over, not chosen.

The logarithm of a metric is modelled as

    y(x) = m(x; u) + a + sum_k b_k f_k(x) + d(x) + noise

m is what the sources say (or nothing), a an offset, f_k linear terms such as the sources' factors, d a
process over the options: a share that is linear in each option (main effects) and a share that is the
product of one squared exponential per option (interactions of any order). u moves a constant out of or
into the source on its linear scale: a server that needs 10 W more at every load has no constant ratio.

After five measurements many hyperparameters fit alike, and the most likely ones are overconfident. They
are drawn by population Monte Carlo instead, from a fixed low-discrepancy sequence, so that the same rows
give the same answer; predictions are mixtures over the draws.

References:
    Rasmussen & Williams 2006, sections 2.2, 2.7, 5.4.2 (leave-one-out); Cappe et al. 2004 (population
    Monte Carlo); Vehtari et al. 2017 (importance weights for leave-one-out).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np

from sidecar.domain.errors import InvalidError
from sidecar.domain.tensors import Array, Floats

# Hyperparameters beside the length scales.
_FIXED: Final = 5
_ROUNDING: Final = 1e-6
# Two environments differ by a factor of 100 at most in 19 of 20 cases (sd of the offset: ln 10).
_OFFSET_VARIANCE: Final = np.log(10.0) ** 2
# Keeps a matrix invertible where two rows have the same inputs.
_JITTER: Final = 1e-6
# Rounds of draws, each where the ones before found most weight: draws, and rows that they are judged by.
# Most of the way is found by few rows, at an eighth of the cost; only the last two rounds count.
_SCOUTING: Final = ((128, 40), (96, 40))
_JUDGING: Final = ((64, 96), (64, 96))
# A round's weights are flattened until so many draws count, or its successor would draw at one point.
_EFFECTIVE: Final = 12.0
# Draws that predictions average over; the rest weigh next to nothing.
_KEPT: Final = 16
# With so many rows the draws agree and one is kept; beyond the last number rows are left out.
_CERTAIN_ROWS: Final = 160
_MOST_ROWS: Final = 384
# A shift may take away this much of the source's least value.
_MOST_TAKEN: Final = 0.98
# Rows that are predicted at a time: bounds the memory of their covariances.
_CHUNK: Final = 512


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the process knows of some rows.

    Attributes:
        features: shape [rows, features], as `Space.features` gives them.
        groups: the option of each feature, shape [features].
        terms: linear terms, each scaled by its prior deviation, shape [rows, terms].
        source: what the sources say on the linear scale, shape [rows]; None without sources. Its own
            linear term is made here.
    """

    features: Floats
    groups: Array
    terms: Floats
    source: Floats | None

    def rows(self, chosen: Array | slice) -> Inputs:
        """Returns these rows."""
        source = None if self.source is None else self.source[chosen]
        return replace(self, features=self.features[chosen], terms=self.terms[chosen], source=source)

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Hyperparameters:
    """Named columns of drawn hyperparameters.

    Attributes:
        draws: shape [draws, 5 + options].
        groups: option of each feature, shape [features].
    """

    draws: Floats
    groups: Array

    @cached_property
    def interacting(self) -> Floats:
        """Variance of d's interactions, shape [draws]."""
        return np.exp(2 * self.draws[:, 0]) * (1.0 - self._linear)

    @cached_property
    def noise(self) -> Floats:
        """Variance of the noise, shape [draws]."""
        return np.exp(2 * self.draws[:, 1])

    @cached_property
    def slope(self) -> Floats:
        """Variance of the linear terms' coefficients, shape [draws]."""
        return np.exp(2 * self.draws[:, 2])

    @cached_property
    def shift(self) -> Floats:
        """u, from -1 (all of the source's least value is taken away) to 1, shape [draws]."""
        return np.tanh(self.draws[:, 3])

    @cached_property
    def _linear(self) -> Floats:
        """Share of d that is linear, shape [draws]."""
        return 1.0 / (1.0 + np.exp(-self.draws[:, 4]))

    @cached_property
    def relevance(self) -> Floats:
        """Inverse squared length scale of each feature, shape [draws, features]."""
        return np.exp(-2 * self.draws[:, 5:])[:, self.groups]

    @cached_property
    def main(self) -> Floats:
        """Variance of each feature's coefficient in the main effects, shape [draws, features].

        Options share d's linear variance by their inverse length scales: relevant ones have most.
        """
        share = np.exp(-self.draws[:, 5:])
        share *= (np.exp(2 * self.draws[:, 0]) * self._linear / share.sum(axis=1))[:, None]
        return share[:, self.groups]

    def __len__(self) -> int:
        return len(self.draws)


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal distributions of the hyperparameters as they are drawn.

    Attributes:
        mean: shape [5 + options]: logarithms of the standard deviations of d, noise and coefficients,
            u before its tanh, log odds of the linear share, logarithms of the length scales.
        sd: the same shape.
    """

    mean: Floats
    sd: Floats


@dataclass(frozen=True, slots=True)
class Reference:
    """The source's least value and geometric mean, which a shift is measured by."""

    least: float
    mean: float


class GaussianProcess:
    """A process given its hyperparameters and rows.

    Raises:
        InvalidError: the hyperparameters are not those of such inputs.

    Attributes:
        draws: of the hyperparameters, shape [draws, 5 + options].
        weights: of the draws, shape [draws], sum 1.
        rows: numbers of the rows that it was given and keeps.
    """

    def __init__(
        self, inputs: Inputs, values: Floats, reference: Reference, draws: Floats, weights: Floats
    ) -> None:
        _check_drawn(draws, weights, inputs)
        self.draws, self.weights = draws, weights
        self.rows = spread(len(values), _MOST_ROWS)
        self._given, self._values = inputs, values[self.rows]
        self._reference = reference
        self._hyper = Hyperparameters(draws, inputs.groups)
        self._kept = _Side.of(self._hyper, inputs.rows(self.rows), reference)
        # Without sources the offset is around the rows' own mean.
        self._centre = float(values.mean()) if inputs.source is None and len(values) else 0.0
        covariance = _covariance(self._hyper, self._kept, self._kept)
        _add_diagonal(covariance, self._hyper.noise + _JITTER)
        self._inverse_factor = np.linalg.inv(np.linalg.cholesky(covariance))
        residual = (self._values - self._kept.mean - self._centre)[:, :, None]
        # What each row adds to a mean: the inverse covariance times the residual.
        self._pull = self._inverse_factor.transpose(0, 2, 1) @ (self._inverse_factor @ residual)

    def predict(self, inputs: Inputs) -> tuple[Floats, Floats]:
        """Predicts measurements.

        Returns:
            mean and standard deviation of the logarithm, noise included, each shape [rows].
        """
        parts = [self._predict(inputs.rows(slice(start, start + _CHUNK))) for start in _starts(len(inputs))]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats]:
        asked = _Side.of(self._hyper, inputs, self._reference)
        cross = _covariance(self._hyper, self._kept, asked)
        means = (self._pull * cross).sum(axis=1) + asked.mean + self._centre
        variances = asked.variance - ((self._inverse_factor @ cross) ** 2).sum(axis=1)
        variances = np.maximum(variances, 0.0) + self._hyper.noise[:, None]
        return _mixture(self.weights[:, None], means, variances)

    def held_out(self) -> tuple[Floats, Floats]:
        """Predicts each row from all the others.

        The weight of a draw is taken back by how well the draw predicted the row that is left out. Rows
        beyond those that are kept were left out anyway.

        Returns:
            mean and standard deviation of the logarithm, each shape [rows].
        """
        # The diagonal of the inverse covariance.
        variances = 1.0 / (self._inverse_factor**2).sum(axis=1)
        errors = self._pull[:, :, 0] * variances
        likelihood = -0.5 * (errors**2 / variances + np.log(variances))
        log_weights = np.log(self.weights)[:, None] - likelihood
        weights = np.exp(log_weights - log_weights.max(axis=0))
        kept = _mixture(weights / weights.sum(axis=0), self._values - errors, variances)
        if len(self.rows) == len(self._given):
            return kept
        mean, sd = self.predict(self._given)
        mean[self.rows], sd[self.rows] = kept
        return mean, sd

    def without_noise(self) -> Floats:
        """Means of the kept rows' logarithms without noise, shape [kept rows]."""
        noise = (self._hyper.noise + _JITTER)[:, None]
        means: Floats = self._values - noise * self._pull[:, :, 0]
        return self.weights @ means

    @property
    def noise(self) -> float:
        """Variance of the noise, averaged over the draws."""
        return float(self.weights @ self._hyper.noise)


@dataclass(frozen=True, slots=True)
class _Side:
    """Rows as a covariance needs them under each draw.

    Attributes:
        features: around 0, shape [rows, features].
        lengths: squared, in units of the length scales, shape [draws, rows].
        source: the shifted source's logarithm around its mean, shape [draws, rows]; 0 without source.
        mean: the process's mean before any measurement, the same shape.
        variance: and its variance without noise, the same shape.
        terms: shape [rows, terms].
    """

    features: Floats
    lengths: Floats
    source: Floats
    mean: Floats
    variance: Floats
    terms: Floats

    @classmethod
    def of(cls, hyper: Hyperparameters, inputs: Inputs, reference: Reference) -> _Side:
        features = inputs.features - 0.5
        squares = (features**2).T
        if inputs.source is None:
            mean = source = np.zeros((len(hyper), len(inputs)))
        else:
            mean = _shifted(hyper, inputs.source, reference)
            source = mean - np.log(reference.mean)
        variance = hyper.main @ squares + (hyper.interacting + _OFFSET_VARIANCE)[:, None]
        variance += hyper.slope[:, None] * (source**2 + (inputs.terms**2).sum(axis=1))
        return cls(features, hyper.relevance @ squares, source, mean, variance, inputs.terms)


def learn(inputs: Inputs, values: Floats, reference: Reference, prior: Prior) -> tuple[Floats, Floats]:
    """Draws hyperparameters given rows.

    Args:
        inputs: of the rows.
        values: logarithms of the metric, shape [rows].
        reference: of the source; any without one.
        prior: of the hyperparameters.

    Returns:
        draws, shape [draws, 5 + options], and their weights, shape [draws], most weight first.
    """
    mean, sd = _search(_SCOUTING, inputs, values, reference, prior, prior.mean, prior.sd)[:2]
    draws, log_weights = _search(_JUDGING, inputs, values, reference, prior, mean, sd)[2:]
    weights = np.exp(log_weights - log_weights.max())
    kept = np.argsort(-weights, kind="stable")[: 1 if len(values) > _CERTAIN_ROWS else _KEPT]
    return draws[kept], np.maximum(weights[kept], 1e-12) / np.maximum(weights[kept], 1e-12).sum()


def _search(
    rounds: Sequence[tuple[int, int]],
    inputs: Inputs,
    values: Floats,
    reference: Reference,
    prior: Prior,
    mean: Floats,
    sd: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Population Monte Carlo from a normal distribution of this mean and deviation.

    Returns:
        mean and deviation of what was found, the draws, and the logarithms of their weights.
    """
    draws = np.empty((0, len(mean)))
    log_weights = np.empty(0)
    sequence = _normal_sequence(sum(count for count, _ in rounds), len(mean))
    for count, rows in rounds:
        chosen = spread(len(values), rows)
        centre = values.mean() if inputs.source is None and len(values) else 0.0
        standard, sequence = sequence[:count], sequence[count:]
        new = mean + sd * standard
        evidence = _evidence(
            Hyperparameters(new, inputs.groups), inputs.rows(chosen), values[chosen] - centre, reference
        )
        prior_density = -0.5 * (((new - prior.mean) / prior.sd) ** 2).sum(axis=1)
        density = -0.5 * (standard**2).sum(axis=1) - np.log(sd).sum()
        draws = np.concatenate([draws, new])
        log_weights = np.concatenate([log_weights, evidence + prior_density - density])
        flat = _flattened(log_weights)
        mean = flat @ draws
        # A little wider than found, so that tails are met; never wider than the prior.
        sd = np.minimum(1.1 * np.sqrt(flat @ (draws - mean) ** 2) + 0.02, prior.sd)
    return mean, sd, draws, log_weights


def spread(count: int, most: int) -> Array:
    """Chooses at most `most` of `count` row numbers, evenly and in step with no order of the rows."""
    if count <= most:
        return np.arange(count)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return np.sort(np.argsort(np.arange(1, count + 1) * golden % 1.0, kind="stable")[:most])


def _check_drawn(draws: Floats, weights: Floats, inputs: Inputs) -> None:
    options = int(inputs.groups.max()) + 1
    if not len(draws) or draws.shape != (len(weights), _FIXED + options):
        raise InvalidError(f"hyperparameters of shape {draws.shape} for {options} options: fit it again")
    if not (weights > 0).all() or abs(float(weights.sum()) - 1.0) > _ROUNDING:
        raise InvalidError("weights of hyperparameters that do not sum to 1: fit it again")


def _starts(rows: int) -> Iterator[int]:
    yield from range(0, max(rows, 1), _CHUNK)


def _shifted(hyper: Hyperparameters, source: Floats, reference: Reference) -> Floats:
    """Logarithm of the source with a constant taken out or put in, shape [draws, rows]."""
    shift = hyper.shift[:, None]
    taken = _MOST_TAKEN * np.minimum(shift, 0.0) * reference.least
    share = np.clip(shift, 0.0, _MOST_TAKEN)
    return np.log(
        np.maximum(source + taken, (1 - _MOST_TAKEN) * source) + reference.mean * share / (1.0 - share)
    )


def _covariance(hyper: Hyperparameters, one: _Side, other: _Side) -> Floats:
    """Covariance without noise, shape [draws, rows of one, rows of other]."""
    across = other.features.T
    covariance: Floats = (one.features * hyper.relevance[:, None, :]) @ across
    covariance -= 0.5 * one.lengths[:, :, None]
    covariance -= 0.5 * other.lengths[:, None, :]
    np.exp(covariance, out=covariance)
    covariance *= hyper.interacting[:, None, None]
    covariance += (one.features * hyper.main[:, None, :]) @ across
    covariance += hyper.slope[:, None, None] * (
        one.source[:, :, None] * other.source[:, None, :] + one.terms @ other.terms.T
    )
    covariance += _OFFSET_VARIANCE
    return covariance


def _evidence(hyper: Hyperparameters, inputs: Inputs, values: Floats, reference: Reference) -> Floats:
    """Logarithm of the likelihood of each draw up to a constant, shape [draws]."""
    rows = len(values)
    side = _Side.of(hyper, inputs, reference)
    residual = values - side.mean
    # One factorisation gives both parts: the last row of the bordered matrix's factor is the solution.
    bordered = np.zeros((len(hyper), rows + 1, rows + 1))
    bordered[:, :rows, :rows] = _covariance(hyper, side, side)
    _add_diagonal(bordered[:, :rows, :rows], hyper.noise + _JITTER)
    bordered[:, rows, :rows] = residual
    # Large enough that the corner stays positive whatever the solution is.
    bordered[:, rows, rows] = 1.0 + (residual**2).sum(axis=1) / (hyper.noise + _JITTER)
    factor = np.linalg.cholesky(bordered)
    diagonal = np.einsum("dii->di", factor)[:, :rows]
    evidence: Floats = -0.5 * (factor[:, rows, :rows] ** 2).sum(axis=1) - np.log(diagonal).sum(axis=1)
    return evidence


def _add_diagonal(matrices: Floats, values: Floats) -> None:
    index = np.arange(matrices.shape[1])
    matrices[:, index, index] += values[:, None]


def _mixture(weights: Floats, means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    mean = (weights * means).sum(axis=0)
    variance = (weights * (variances + (means - mean) ** 2)).sum(axis=0)
    return mean, np.sqrt(variance)


def _flattened(log_weights: Floats) -> Floats:
    """Weights of power 1 or less of which enough count, sum 1."""
    power = 1.0
    while True:
        weights: Floats = np.exp(power * (log_weights - log_weights.max()))
        weights /= weights.sum()
        if 1.0 / (weights**2).sum() >= _EFFECTIVE:
            return weights
        power *= 0.7


def _normal_sequence(count: int, dimensions: int) -> Floats:
    """A low-discrepancy sequence through the normal quantiles, shape [count, dimensions].

    References:
        the additive recurrence on the generalised golden ratio (Roberts 2018).
    """
    ratio = 2.0
    # A fixed-point iteration that gains a digit a step.
    for _ in range(50):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    uniform = (0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0
    # The tails beyond are one draw in ten thousand.
    normal: Floats = np.vectorize(NormalDist().inv_cdf)(np.clip(uniform, 1e-4, 1 - 1e-4))
    return normal
