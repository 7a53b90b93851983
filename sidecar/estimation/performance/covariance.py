"""Covariance of the rows that a Gaussian process knows, under each draw of its hyperparameters.

The logarithm of a metric is modelled as

    y(x) = m(x; u) + a + sum_k b_k f_k(x) + d(x) + noise

m is what the sources predict (0 without sources), a is an offset, and f_k are linear terms such as the
factors of the sources. d is a process over the options: one share of it is linear in each option (main
effects), the rest is the product of one squared exponential per option (interactions of any order). u adds
a constant to the source, or subtracts one, on the source's linear scale: if a server needs 10 W more at
every load, the two powers have no constant ratio.

References:
    Rasmussen & Williams 2006, section 2.7 (linear terms with a normal prior).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance import faults
from sidecar.estimation.performance.hyperparameters import Hyperparameters

# Two environments differ by a factor of 100 at most in 19 of 20 cases (sd of the offset: ln 10).
_OFFSET_VARIANCE: Final = np.log(10.0) ** 2
# A matrix stays invertible with this on its diagonal, even if two rows have the same inputs.
JITTER: Final = 1e-6
# A shift removes at most this share of the source's least value.
_MOST_TAKEN: Final = 0.98
# The probabilities of faults and the errors that they follow from depend on each other. They are computed in
# turn, at most so many times, until no probability changes by more than `SETTLED`.
TURNS: Final = 5
SETTLED: Final = 0.1


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a process knows of some rows before it sees their measurements.

    Attributes:
        features: shape [rows, features], as `Space.features` gives them.
        groups: the option of each feature, shape [features].
        terms: linear terms, each divided by its prior standard deviation, shape [rows, terms].
        source: what the sources predict on the linear scale, shape [rows]; None without sources. The
            process adds the linear term of the source itself.
        faulty: whether a row may be a fault of measuring. It is False where the process sees only some of
            the options, because the effects of the others would count as faults.
    """

    features: Floats
    groups: Array
    terms: Floats
    source: Floats | None
    faulty: bool = True

    def rows(self, chosen: Array | slice) -> Inputs:
        """Returns the inputs of the chosen rows."""
        source = None if self.source is None else self.source[chosen]
        return replace(self, features=self.features[chosen], terms=self.terms[chosen], source=source)

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True)
class Reference:
    """The least value and the geometric mean of the source; the size of a shift is relative to them."""

    least: float
    mean: float


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a covariance matrix: rows, prepared for each draw.

    Attributes:
        features: centred on 0, shape [rows, features].
        lengths: squared norms of the features, in length scales, shape [draws, rows].
        source: the shifted source's logarithm less that of its mean, shape [draws, rows]; 0 without source.
        mean: mean before any measurement, shape [draws, rows].
        variance: variance before any measurement, without noise, shape [draws, rows].
        terms: linear terms, shape [rows, terms].
    """

    features: Floats
    lengths: Floats
    source: Floats
    mean: Floats
    variance: Floats
    terms: Floats

    @classmethod
    def of(cls, hyper: Hyperparameters, inputs: Inputs, reference: Reference) -> Side:
        """Prepares rows for each draw."""
        features = inputs.features - 0.5
        squares = (features**2).T
        if inputs.source is None:
            mean = source = np.zeros((len(hyper), len(inputs)))
        else:
            mean = shifted(hyper, inputs.source, reference)
            source = mean - np.log(reference.mean)
        variance = hyper.main @ squares + (hyper.interacting + _OFFSET_VARIANCE)[:, None]
        variance += hyper.slope[:, None] * (source**2 + (inputs.terms**2).sum(axis=1))
        return cls(features, hyper.relevance @ squares, source, mean, variance, inputs.terms)


def shifted(hyper: Hyperparameters, source: Floats, reference: Reference) -> Floats:
    """Logarithm of the source after the shift added or subtracted a constant, shape [draws, rows]."""
    shift = hyper.shift[:, None]
    taken = _MOST_TAKEN * np.minimum(shift, 0.0) * reference.least
    share = np.clip(shift, 0.0, _MOST_TAKEN)
    return np.log(
        np.maximum(source + taken, (1 - _MOST_TAKEN) * source) + reference.mean * share / (1.0 - share)
    )


def covariance(hyper: Hyperparameters, one: Side, other: Side) -> Floats:
    """Covariance without noise, shape [draws, rows of one, rows of other]."""
    found = interactions(hyper, one, other)
    found += (one.features * hyper.main[:, None, :]) @ other.features.T
    found += hyper.slope[:, None, None] * (
        one.source[:, :, None] * other.source[:, None, :] + one.terms @ other.terms.T
    )
    found += _OFFSET_VARIANCE
    return found


def interactions(hyper: Hyperparameters, one: Side, other: Side) -> Floats:
    """Share of the covariance that the interactions give, shape [draws, rows of one, rows of other]."""
    found: Floats = (one.features * hyper.relevance[:, None, :]) @ other.features.T
    found -= 0.5 * one.lengths[:, :, None]
    found -= 0.5 * other.lengths[:, None, :]
    np.exp(found, out=found)
    found *= hyper.interacting[:, None, None]
    return found


def noise_variance(hyper: Hyperparameters, sound: Floats) -> Floats:
    """Variance of each row's noise, shape [draws, rows], from the probability that the row is no fault."""
    noise: Floats = 1.0 / (sound / hyper.noise[:, None] + (1.0 - sound) / faults.VARIANCE)
    return noise


def sound_rows(hyper: Hyperparameters, noiseless: Floats, residual: Floats) -> Floats:
    """Probability that a row is no fault, from the error of its prediction by all other rows.

    Args:
        hyper: the draws.
        noiseless: covariance without noise, shape [draws, rows, rows].
        residual: values less the mean before any measurement, shape [draws, rows, 1].

    Returns:
        shape [draws, rows].
    """
    sound = np.ones(residual.shape[:2])
    for _ in range(TURNS):
        noise = noise_variance(hyper, sound)
        noisy = noiseless.copy()
        add_diagonal(noisy, noise + JITTER)
        inverse = np.linalg.inv(noisy)
        variances = 1.0 / np.einsum("dii->di", inverse)
        errors = (inverse @ residual)[:, :, 0] * variances
        variances = np.maximum(variances - noise, 0.0) + hyper.noise[:, None]
        before, sound = sound, faults.sound(errors, variances)
        if np.abs(sound - before).max(initial=0.0) < SETTLED:
            break
    return sound


def add_diagonal(matrices: Floats, values: Floats) -> None:
    """Adds values, shape [matrices, n], to the diagonals of matrices, shape [matrices, n, n], in place."""
    index = np.arange(matrices.shape[1])
    matrices[:, index, index] += values
