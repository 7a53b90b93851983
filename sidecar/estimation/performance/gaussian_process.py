"""Predictions of a Gaussian process that averages over draws of its hyperparameters.

Predictions are mixtures over the draws, because after five measurements many hyperparameters fit equally
well and the most likely ones are overconfident. A row that all other rows contradict by far is a fault of
measuring (`faults`): its noise is that of a fault, in proportion to the probability that it is a fault.
`learning` finds the draws; this module needs no scipy, so that the service can predict without it.

References:
    Rasmussen & Williams 2006, sections 2.2 (predictions), 5.4.2 (leave-one-out); Vehtari et al. 2017
    (importance weights for leave-one-out).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance import faults
from sidecar.estimation.performance.covariance import (
    JITTER,
    Inputs,
    Reference,
    Side,
    add_diagonal,
    covariance,
    noise_variance,
    sound_rows,
)
from sidecar.estimation.performance.hyperparameters import FIXED, Hyperparameters

_ROUNDING: Final = 1e-6
# A process keeps at most so many rows.
_MOST_ROWS: Final = 384
# Rows are predicted in chunks of this size, which bounds the memory of their covariances.
_CHUNK: Final = 512


class GaussianProcess:
    """A process with given hyperparameters and measured rows.

    Raises:
        InvalidError: the hyperparameters do not have the shape that the inputs need.

    Attributes:
        draws: hyperparameters, shape [draws, 5 + options].
        weights: weights of the draws, shape [draws], sum 1.
        rows: numbers of the rows that the process keeps.
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
        self._kept = Side.of(self._hyper, inputs.rows(self.rows), reference)
        # Without sources the prior of the offset is centred on the mean of the rows.
        self._centre = float(values.mean()) if inputs.source is None and len(values) else 0.0
        noisy = covariance(self._hyper, self._kept, self._kept)
        residual = (self._values - self._kept.mean - self._centre)[:, :, None]
        sound = sound_rows(self._hyper, noisy, residual) if inputs.faulty else np.ones(residual.shape[:2])
        self._noise = noise_variance(self._hyper, sound)
        add_diagonal(noisy, self._noise + JITTER)
        self._inverse_factor = np.linalg.inv(np.linalg.cholesky(noisy))
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
        asked = Side.of(self._hyper, inputs, self._reference)
        cross = covariance(self._hyper, self._kept, asked)
        means = (self._pull * cross).sum(axis=1) + asked.mean + self._centre
        variances = asked.variance - ((self._inverse_factor @ cross) ** 2).sum(axis=1)
        variances = np.maximum(variances, 0.0) + self._hyper.noise[:, None]
        return _mixture(self.weights[:, None], means, variances)

    def held_out(self) -> tuple[Floats, Floats]:
        """Predicts each row from all other rows.

        A draw that predicted the left-out row well has gained weight from it; that gain is divided out. Rows
        that the process does not keep are left out in any case.

        Returns:
            mean and standard deviation of the logarithm, each shape [rows].
        """
        # The diagonal of the inverse covariance.
        variances = 1.0 / (self._inverse_factor**2).sum(axis=1)
        errors = self._pull[:, :, 0] * variances
        # A prediction cannot know that the row will be a fault.
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
        means: Floats = self._values - (self._noise + JITTER) * self._pull[:, :, 0]
        return self.weights @ means

    @property
    def noise(self) -> float:
        """Variance of the noise, averaged over the draws."""
        return float(self.weights @ self._hyper.noise)


def spread(count: int, most: int) -> Array:
    """Chooses at most `most` of `count` row numbers, evenly, and out of step with any order of the rows."""
    if count <= most:
        return np.arange(count)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return np.sort(np.argsort(np.arange(1, count + 1) * golden % 1.0, kind="stable")[:most])


def _check_drawn(draws: Floats, weights: Floats, inputs: Inputs) -> None:
    options = int(inputs.groups.max()) + 1
    if not len(draws) or draws.shape != (len(weights), FIXED + options):
        raise InvalidError(
            f"there are hyperparameters of shape {draws.shape}, but {options} options need shape "
            f"({len(weights)}, {FIXED + options}): fit the model again"
        )
    if not (weights > 0).all() or abs(float(weights.sum()) - 1.0) > _ROUNDING:
        raise InvalidError(
            "the weights of the hyperparameters are not all above 0 or do not sum to 1: fit the model again"
        )


def _starts(rows: int) -> Iterator[int]:
    yield from range(0, max(rows, 1), _CHUNK)


def _mixture(weights: Floats, means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    mean = (weights * means).sum(axis=0)
    variance = (weights * (variances + (means - mean) ** 2)).sum(axis=0)
    return mean, np.sqrt(variance)
