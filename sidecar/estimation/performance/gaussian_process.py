"""Gaussian processes whose hyperparameters are averaged over, not chosen.

The logarithm of a metric is modelled as

    y(x) = m(x; u) + a + sum_k b_k f_k(x) + d(x) + noise

m is what the sources say (or nothing), a an offset, f_k linear terms such as the sources' factors, d a
process over the options: a share that is linear in each option (main effects) and a share that is the
product of one squared exponential per option (interactions of any order). u moves a constant out of or
into the source on its linear scale: a server that needs 10 W more at every load has no constant ratio.

A row that the others contradict by far is a fault of measuring (`faults`): its noise is as large as a
fault's, in the proportion in which it is one.

After five measurements many hyperparameters fit alike, and the most likely ones are overconfident; after
eighty, of a dozen options, the likely ones fill a corner of the space that no draw from the prior meets.
So they are drawn from two distributions: what population Monte Carlo finds, and a normal one around the
most likely place, found by descent. Draws are of a fixed low-discrepancy sequence, so that the same rows
give the same answer; predictions are mixtures over the draws.

References:
    Rasmussen & Williams 2006, sections 2.2, 2.7, 5.4.1 (slope of the evidence), 5.4.2 (leave-one-out);
    Cappe et al. 2004 (population Monte Carlo); Veach & Guibas 1995 (weights of draws from several
    distributions); Vehtari et al. 2017 (importance weights for leave-one-out).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance import faults
from sidecar.estimation.performance.descent import descend

# Hyperparameters beside the length scales.
_FIXED: Final = 5
_ROUNDING: Final = 1e-6
# Two environments differ by a factor of 100 at most in 19 of 20 cases (sd of the offset: ln 10).
_OFFSET_VARIANCE: Final = np.log(10.0) ** 2
# Keeps a matrix invertible where two rows have the same inputs.
_JITTER: Final = 1e-6
# Rounds of draws, each where the ones before found most weight, and the rows that they are judged by: most
# of the way is found by few rows, at an eighth of the cost.
_SCOUTING: Final = (128, 96)
_SCOUTING_ROWS: Final = 40
# Draws that count, one half around what the rounds found and one around the most likely place, and rows.
_DRAWS: Final = 128
_ROWS: Final = 96
# Both distributions are a little wider than found, so that tails are met.
_WIDER: Final = 1.1
# The narrowest that the second one may be, in the prior's deviations: descent takes no more steps than
# tell so much.
_NARROWEST: Final = 0.01
# A round's weights are flattened until so many draws count, or its successor would draw at one point.
_EFFECTIVE: Final = 12.0
# Which rows are faults and what is likely depend on each other: they are found in turn, so many times at
# most, until no row's probability moves by more than this.
_TURNS: Final = 5
_SETTLED: Final = 0.1
# Draws that predictions average over; the rest weigh next to nothing.
_KEPT: Final = 16
# With so many rows the draws agree: the most likely place stands for them. Beyond the last number rows are
# left out.
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
        faulty: whether rows may be faults of measuring. Not where the process sees a part of the options
            only: what the others do would count as faults.
    """

    features: Floats
    groups: Array
    terms: Floats
    source: Floats | None
    faulty: bool = True

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
        return np.exp(2 * self.draws[:, 0]) * (1.0 - self.linear)

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
    def linear(self) -> Floats:
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
        share *= (np.exp(2 * self.draws[:, 0]) * self.linear / share.sum(axis=1))[:, None]
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
        residual = (self._values - self._kept.mean - self._centre)[:, :, None]
        sound = _sound(self._hyper, covariance, residual) if inputs.faulty else np.ones(residual.shape[:2])
        self._noise = _noise(self._hyper, sound)
        _add_diagonal(covariance, self._noise + _JITTER)
        self._inverse_factor = np.linalg.inv(np.linalg.cholesky(covariance))
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
        # Nobody knows beforehand that a row is a fault.
        variances = np.maximum(variances - self._noise, 0.0) + self._hyper.noise[:, None]
        log_weights = np.log(self.weights)[:, None] - faults.log_density(errors, variances)
        weights = np.exp(log_weights - log_weights.max(axis=0))
        kept = _mixture(weights / weights.sum(axis=0), self._values - errors, variances)
        if len(self.rows) == len(self._given):
            return kept
        mean, sd = self.predict(self._given)
        mean[self.rows], sd[self.rows] = kept
        return mean, sd

    def without_noise(self) -> Floats:
        """Means of the kept rows' logarithms without noise, shape [kept rows]."""
        means: Floats = self._values - (self._noise + _JITTER) * self._pull[:, :, 0]
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
    centre = values.mean() if inputs.source is None and len(values) else 0.0
    few, chosen = spread(len(values), _SCOUTING_ROWS), spread(len(values), _ROWS)
    middle, wide = _scouted(_Posterior(inputs.rows(few), values[few] - centre, reference, prior, np.ones(1)))
    posterior = _Posterior(inputs.rows(chosen), values[chosen] - centre, reference, prior, np.ones(1))
    for _ in range(_TURNS):
        # From the middle again: a place that explains faults by what options do is hard to leave.
        likely, inverse = descend(posterior.loss, middle)
        before, posterior = posterior, replace(posterior, sound=posterior.sound_at(likely))
        if np.abs(posterior.sound - before.sound).max(initial=0.0) < _SETTLED:
            break
    if len(values) > _CERTAIN_ROWS:
        return (prior.mean + prior.sd * likely)[None], np.ones(1)
    variances, axes = np.linalg.eigh(inverse)
    narrow = np.clip(_WIDER * np.sqrt(np.clip(variances, 0.0, None)), _NARROWEST, 1.0)
    first, second = np.split(_normal_sequence(_DRAWS, len(likely)), 2)
    standard = np.concatenate([middle + wide * first, likely + (narrow * second) @ axes.T])
    densities = (
        _log_normal((standard - middle) / wide, wide),
        _log_normal((standard - likely) @ axes / narrow, narrow),
    )
    log_weights = posterior.at(standard) - np.logaddexp(*densities)
    kept = np.argsort(-log_weights, kind="stable")[:_KEPT]
    weights = np.maximum(np.exp(log_weights[kept] - log_weights.max()), 1e-12)
    return prior.mean + prior.sd * standard[kept], weights / weights.sum()


@dataclass(frozen=True, slots=True)
class _Posterior:
    """What rows say of hyperparameters, which are given in deviations from the prior's mean.

    Attributes:
        inputs: of the rows.
        values: logarithms of the metric, around 0 without sources, shape [rows].
        reference: of the source.
        prior: of the hyperparameters.
        sound: probability that a row is no fault, shape [rows], or [1] for all.
    """

    inputs: Inputs
    values: Floats
    reference: Reference
    prior: Prior
    sound: Floats

    def at(self, standard: Floats) -> Floats:
        """Logarithm of the density of places, shape [places, n], up to a constant; shape [places]."""
        hyper = self._hyper(standard)
        evidence = _evidence(hyper, self.inputs, self.values, self.reference, self.sound)
        density: Floats = evidence - 0.5 * (standard**2).sum(axis=1)
        return density

    def loss(self, standard: Floats) -> tuple[float, Floats]:
        """The same, negative, in one place, shape [n], and its slope there, shape [n]."""
        hyper = self._hyper(standard[None])
        evidence, slope = _evidence_and_slope(hyper, self.inputs, self.values, self.reference, self.sound)
        return 0.5 * float(standard @ standard) - evidence, standard - slope * self.prior.sd

    def sound_at(self, standard: Floats) -> Floats:
        """`sound` if the hyperparameters were these, shape [n]; shape [rows]."""
        if not self.inputs.faulty:
            return np.ones(len(self.values))
        hyper = self._hyper(standard[None])
        side = _Side.of(hyper, self.inputs, self.reference)
        residual = (self.values - side.mean)[:, :, None]
        sound: Floats = _sound(hyper, _covariance(hyper, side, side), residual)[0]
        return sound

    def _hyper(self, standard: Floats) -> Hyperparameters:
        return Hyperparameters(self.prior.mean + self.prior.sd * standard, self.inputs.groups)


def _scouted(posterior: _Posterior) -> tuple[Floats, Floats]:
    """Population Monte Carlo from the prior; returns mean and deviation of what was found."""
    size = len(posterior.prior.mean)
    mean, sd = np.zeros(size), np.ones(size)
    standard, log_weights = np.empty((0, size)), np.empty(0)
    sequence = _normal_sequence(sum(_SCOUTING), size)
    for own in np.split(sequence, np.cumsum(_SCOUTING[:-1])):
        new = mean + sd * own
        standard = np.concatenate([standard, new])
        log_weights = np.concatenate([log_weights, posterior.at(new) - _log_normal(own, sd)])
        weights = _flattened(log_weights)
        mean = weights @ standard
        # Never wider than the prior; the last term keeps a single draw from ending the search.
        sd = np.minimum(_WIDER * np.sqrt(weights @ (standard - mean) ** 2) + 0.02, 1.0)
    return mean, sd


def _log_normal(deviations: Floats, sd: Floats) -> Floats:
    density: Floats = -0.5 * (deviations**2).sum(axis=1) - np.log(sd).sum()
    return density


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
    covariance = _interactions(hyper, one, other)
    covariance += (one.features * hyper.main[:, None, :]) @ other.features.T
    covariance += hyper.slope[:, None, None] * (
        one.source[:, :, None] * other.source[:, None, :] + one.terms @ other.terms.T
    )
    covariance += _OFFSET_VARIANCE
    return covariance


def _interactions(hyper: Hyperparameters, one: _Side, other: _Side) -> Floats:
    """The part of the covariance that is d's interactions, shape [draws, rows of one, rows of other]."""
    covariance: Floats = (one.features * hyper.relevance[:, None, :]) @ other.features.T
    covariance -= 0.5 * one.lengths[:, :, None]
    covariance -= 0.5 * other.lengths[:, None, :]
    np.exp(covariance, out=covariance)
    covariance *= hyper.interacting[:, None, None]
    return covariance


def _noise(hyper: Hyperparameters, sound: Floats) -> Floats:
    """Variance of each row's noise, shape [draws, rows], from the probability that it is no fault."""
    noise: Floats = 1.0 / (sound / hyper.noise[:, None] + (1.0 - sound) / faults.VARIANCE)
    return noise


def _sound(hyper: Hyperparameters, covariance: Floats, residual: Floats) -> Floats:
    """Probability that a row is no fault, from how far it is off where the others predict it.

    Args:
        hyper: of each draw.
        covariance: without noise, shape [draws, rows, rows].
        residual: values less the mean before any measurement, shape [draws, rows, 1].

    Returns:
        shape [draws, rows].
    """
    sound = np.ones(residual.shape[:2])
    for _ in range(_TURNS):
        noise = _noise(hyper, sound)
        noisy = covariance.copy()
        _add_diagonal(noisy, noise + _JITTER)
        inverse = np.linalg.inv(noisy)
        variances = 1.0 / np.einsum("dii->di", inverse)
        errors = (inverse @ residual)[:, :, 0] * variances
        variances = np.maximum(variances - noise, 0.0) + hyper.noise[:, None]
        before, sound = sound, faults.sound(errors, variances)
        if np.abs(sound - before).max(initial=0.0) < _SETTLED:
            break
    return sound


def _evidence(
    hyper: Hyperparameters, inputs: Inputs, values: Floats, reference: Reference, sound: Floats
) -> Floats:
    """Logarithm of the likelihood of each draw up to a constant, shape [draws]."""
    rows = len(values)
    side = _Side.of(hyper, inputs, reference)
    residual = values - side.mean
    # One factorisation gives both parts: the last row of the bordered matrix's factor is the solution.
    bordered = np.zeros((len(hyper), rows + 1, rows + 1))
    bordered[:, :rows, :rows] = _covariance(hyper, side, side)
    noise = _noise(hyper, sound)
    _add_diagonal(bordered[:, :rows, :rows], noise + _JITTER)
    bordered[:, rows, :rows] = residual
    # Large enough that the corner stays positive whatever the solution is.
    bordered[:, rows, rows] = 1.0 + (residual**2 / (noise + _JITTER)).sum(axis=1)
    factor = np.linalg.cholesky(bordered)
    diagonal = np.einsum("dii->di", factor)[:, :rows]
    evidence: Floats = -0.5 * (factor[:, rows, :rows] ** 2).sum(axis=1) - np.log(diagonal).sum(axis=1)
    return evidence


def _evidence_and_slope(
    hyper: Hyperparameters, inputs: Inputs, values: Floats, reference: Reference, sound: Floats
) -> tuple[float, Floats]:
    """`_evidence` of one draw, and its slope over the hyperparameters, shape [5 + options]."""
    side = _Side.of(hyper, inputs, reference)
    features, linear = side.features, float(hyper.linear[0])
    covariance = _covariance(hyper, side, side)
    noise = np.broadcast_to(_noise(hyper, sound), (1, len(values)))
    _add_diagonal(covariance, noise + _JITTER)
    residual = values - side.mean[0]
    factor = np.linalg.cholesky(covariance[0])
    inverse_factor = np.linalg.inv(factor)
    inverse = inverse_factor.T @ inverse_factor
    solution = inverse @ residual
    evidence = -0.5 * float(residual @ solution) - float(np.log(np.diag(factor)).sum())
    # Half of its product with a covariance's slope, summed, is the evidence's slope.
    pulls = np.outer(solution, solution) - inverse
    interacting = pulls * _interactions(hyper, side, side)[0]
    main = 0.5 * hyper.main[0] * (features * (pulls @ features)).sum(axis=0)
    terms = np.concatenate([side.source[0][:, None], inputs.terms], axis=1)
    both = float(interacting.sum())
    slope = np.empty(hyper.draws.shape[1])
    slope[0] = both + 2.0 * main.sum()
    slope[1] = np.diag(pulls) @ (noise**2 * sound / hyper.noise)[0]
    slope[2] = hyper.slope[0] * ((pulls @ terms) * terms).sum()
    slope[3] = _shift_slope(hyper, inputs, reference) @ (solution + hyper.slope[0] * (pulls @ side.source[0]))
    slope[4] = (1.0 - linear) * main.sum() - 0.5 * linear * both
    apart = (features**2).T @ interacting.sum(axis=1) - (features * (interacting @ features)).sum(axis=0)
    share = np.exp(-hyper.draws[0, _FIXED:])
    slope[_FIXED:] = share / share.sum() * main.sum()
    np.add.at(slope[_FIXED:], inputs.groups, hyper.relevance[0] * apart - main)
    return evidence, slope


def _shift_slope(hyper: Hyperparameters, inputs: Inputs, reference: Reference) -> Floats:
    """Slope of the shifted source's logarithm over u, by central differences; shape [rows]."""
    if inputs.source is None:
        return np.zeros(len(inputs))
    # The error is of the order of its square.
    step = 1e-4
    near = np.repeat(hyper.draws, 2, axis=0)
    near[:, 3] += (step, -step)
    above, below = _shifted(Hyperparameters(near, hyper.groups), inputs.source, reference)
    slope: Floats = (above - below) / (2.0 * step)
    return slope


def _add_diagonal(matrices: Floats, values: Floats) -> None:
    index = np.arange(matrices.shape[1])
    matrices[:, index, index] += values


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
