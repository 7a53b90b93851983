"""Range, mean and variance of each feature, over batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidecar.core.tensors import Array, Floats


@dataclass(slots=True)
class Moments:
    """Statistics of the rows seen so far; d features.

    Attributes:
        rows: how many.
        low: least value [d].
        high: greatest value [d].
        mean: [d].
        squares: sum of squared distances from the mean [d].
    """

    rows: int
    low: Floats
    high: Floats
    mean: Floats
    squares: Floats

    @classmethod
    def empty(cls, features: int) -> Moments:
        """No rows yet."""
        zeros = np.zeros(features)
        return cls(0, np.full(features, np.inf), np.full(features, -np.inf), zeros, zeros)

    @property
    def variance(self) -> Floats:
        """Population variance [d]."""
        return self.squares / self.rows

    def add(self, features: Array) -> None:
        """Adds rows, shape [rows, d].

        References:
            Chan, Golub & LeVeque 1979, pairwise update of mean and sum of squares.
        """
        values = features.astype(np.float64)
        added, mean = len(values), values.mean(axis=0)
        total = self.rows + added
        step = mean - self.mean
        squares = ((values - mean) ** 2).sum(axis=0)
        self.squares = self.squares + squares + step**2 * (self.rows * added / total)
        self.mean = self.mean + step * (added / total)
        self.low = np.minimum(self.low, values.min(axis=0))
        self.high = np.maximum(self.high, values.max(axis=0))
        self.rows = total
