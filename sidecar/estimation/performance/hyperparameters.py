"""Hyperparameters of a Gaussian process, drawn from a distribution, and the prior of that distribution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats

# The number of hyperparameters beside the length scales, which come last in a draw.
FIXED: Final = 5


@dataclass(frozen=True)
class Hyperparameters:
    """The columns of drawn hyperparameters, by name.

    Attributes:
        draws: one draw a row, shape [draws, 5 + options].
        groups: the option of each feature, shape [features].
    """

    draws: Floats
    groups: Array

    @cached_property
    def interacting(self) -> Floats:
        """Variance of the interactions of options, shape [draws]."""
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
        """The shift u, from -1 (it removes all of the source's least value) to 1, shape [draws]."""
        return np.tanh(self.draws[:, 3])

    @cached_property
    def linear(self) -> Floats:
        """Share of the options' variance that is linear, shape [draws]."""
        return 1.0 / (1.0 + np.exp(-self.draws[:, 4]))

    @cached_property
    def relevance(self) -> Floats:
        """Inverse squared length scale of each feature, shape [draws, features]."""
        return np.exp(-2 * self.draws[:, FIXED:])[:, self.groups]

    @cached_property
    def main(self) -> Floats:
        """Variance of each feature's coefficient in the main effects, shape [draws, features].

        The options share the linear variance in proportion to their inverse length scales, so that
        relevant options have most of it.
        """
        share = np.exp(-self.draws[:, FIXED:])
        share *= (np.exp(2 * self.draws[:, 0]) * self.linear / share.sum(axis=1))[:, None]
        return share[:, self.groups]

    def __len__(self) -> int:
        return len(self.draws)


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal distributions of the hyperparameters.

    Attributes:
        mean: shape [5 + options]: logarithms of the standard deviations of d, noise and coefficients, u
            before its tanh, log odds of the linear share, logarithms of the length scales.
        sd: standard deviations, the same shape.
    """

    mean: Floats
    sd: Floats
