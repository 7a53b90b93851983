"""Combines several objectives into one value, and compares candidates by draws of it.

`WeightedProduct` trades objectives against each other; `Lexicographic` never does. Both compare candidates
within a draw, so an effect that all candidates share decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import checked, gains, refuse
from sidecar.core.tensors import Array, Floats

# Doubling the latency costs 5 % of accuracy: 2^0.07 = 1.05. Tan et al. 2019 (MnasNet) found that this weight
# gives about equal rewards along the frontier.
_SECONDARY_WEIGHT: Final = 0.07
# Number of pairs that are compared at once; the temporary arrays take 8 MB.
_PAIRS: Final = 1 << 20
# e^300 = 10^130 is beyond every meaningful ratio, and its square still fits into floating point.
_MOST_LOG: Final = 300.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the candidates compare over all draws.

    Attributes:
        p_best: share of the draws in which each candidate is the best; equal candidates split a draw
            [candidates].
        expected_regret: mean loss against the best candidate of the draw, in the first objective's unit
            [candidates].
    """

    p_best: Floats
    expected_regret: Floats


def default_weights(objectives: int) -> tuple[float, ...]:
    """Returns weight 1 for the first objective and 0.07 for each other, so that doubling it costs 5 %."""
    return (1.0,) + (_SECONDARY_WEIGHT,) * (objectives - 1)


@dataclass(frozen=True, slots=True)
class WeightedProduct:
    """The first objective, multiplied by a factor for each other objective.

        value = x_1 prod_k (x_k / typical_k)^(direction_k weight_k / weight_1)

    The value has the unit of the first objective. Equal ratios count equally: with a weight of 0.07, half the
    latency is worth 5 % at 10 ms and at 10 s. `typical` is the median over candidates and draws; it does not
    change the order. If the first objective is a cost, the factors are inverted and the value is negative.

    Attributes:
        weights: weight of each objective, >= 0, the first above 0; only their ratios matter.

    Raises:
        InvalidError: a weight is negative or not finite, or the first weight is 0.
    """

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise InvalidError(f"weights are {list(self.weights)}: give numbers of 0 or more")
        if not weights.sum() > 0:
            raise InvalidError(
                f"weights are {list(self.weights)}, which sum to 0: give the first objective a weight above 0"
            )
        if not weights[0] > 0:
            raise InvalidError(
                "the first objective's weight is 0, but values are in its unit: put an objective with a "
                "weight first"
            )

    def values(self, draws: Array, directions: Sequence[int]) -> Floats:
        """Computes the candidates' values; higher is better.

        Args:
            draws: draws of the objectives, shape [draws, candidates, objectives]; the first objective is >=
                0, the others are above 0.
            directions: +1 if higher is better, -1 if lower is better, for each objective.

        Returns:
            values in the first objective's unit, shape [draws, candidates].

        Raises:
            InvalidError: a value is out of range, the numbers of weights and objectives differ, or the first
                weight is too small beside the others.
        """
        x = checked(draws, directions)
        if len(self.weights) != x.shape[-1]:
            raise InvalidError(
                f"there are {len(self.weights)} weights for {x.shape[-1]} objectives: give a weight each"
            )
        positive = (x <= 0) & (np.asarray(self.weights) > 0)
        positive[..., 0] = x[..., 0] < 0
        refuse(x, positive, "values are multiplied: give them above 0, or leave the objective out")
        exponents = directions[0] * np.asarray(directions) * np.asarray(self.weights) / self.weights[0]
        factors = np.zeros(x.shape[:-1])
        for exponent, values in zip(exponents[1:], np.moveaxis(x, -1, 0)[1:], strict=True):
            if exponent:
                factors += exponent * np.log(values / np.median(values))
        if np.abs(factors).max() > _MOST_LOG:
            raise InvalidError(
                f"weights are {list(self.weights)}: the first weight is too small beside the others to give "
                "values in its unit: put the objective with the largest weight first"
            )
        return np.asarray(directions[0] * x[..., 0] * np.exp(factors))

    def preferences(self, draws: Array, directions: Sequence[int]) -> Preferences:
        """Finds the best candidate of every draw; arguments and errors are those of `values`."""
        values = self.values(draws, directions)
        best = values.max(axis=1, keepdims=True)
        return Preferences(_split(values == best), (best - values).mean(axis=0))

    def p_beats(self, draws: Array, directions: Sequence[int]) -> Floats:
        """Compares all pairs of candidates in every draw; arguments and errors are those of `values`.

        Returns:
            share of the draws in which the row's candidate is better than the column's; a draw in which
            they are equal counts half [candidates, candidates].
        """
        return _p_beats(self.values(draws, directions)[..., None], (0.0,))


@dataclass(frozen=True, slots=True)
class Lexicographic:
    """The first objective decides; the next one decides among candidates within its tolerance of the best.

    Attributes:
        tolerances: greatest difference that does not count, >= 0, in each objective's unit.

    Raises:
        InvalidError: a tolerance is negative or not finite.
    """

    tolerances: tuple[float, ...]

    def __post_init__(self) -> None:
        tolerances = np.asarray(self.tolerances, dtype=np.float64)
        if not np.isfinite(tolerances).all() or (tolerances < 0).any():
            raise InvalidError(f"tolerances are {list(self.tolerances)}: give numbers of 0 or more")

    def preferences(self, draws: Array, directions: Sequence[int]) -> Preferences:
        """Finds the best candidate of every draw; regret is the loss in the first objective beyond tolerance.

        Args:
            draws: draws of the objectives, shape [draws, candidates, objectives]; the most important
                objective is first.
            directions: +1 if higher is better, -1 if lower is better, for each objective.

        Raises:
            InvalidError: a value is not finite, or the numbers of tolerances and objectives differ.
        """
        x = self._gains(draws, directions)
        left = np.ones(x.shape[:2], dtype=bool)
        for values, tolerance in zip(np.moveaxis(x, -1, 0), self.tolerances, strict=True):
            best = np.where(left, values, -np.inf).max(axis=1, keepdims=True)
            left &= best - values <= tolerance
        shortfall = x[..., 0].max(axis=1, keepdims=True) - x[..., 0] - self.tolerances[0]
        return Preferences(_split(left), np.maximum(shortfall, 0.0).mean(axis=0))

    def p_beats(self, draws: Array, directions: Sequence[int]) -> Floats:
        """Compares all pairs of candidates in every draw; arguments and errors are those of `preferences`.

        A pair is compared by the first objective in which it differs by more than the objective's tolerance.

        Returns:
            share of the draws in which the row's candidate is better than the column's; a draw in which
            neither is better counts half [candidates, candidates].
        """
        return _p_beats(self._gains(draws, directions), self.tolerances)

    def _gains(self, draws: Array, directions: Sequence[int]) -> Floats:
        x = gains(draws, directions)
        if len(self.tolerances) != x.shape[-1]:
            raise InvalidError(
                f"there are {len(self.tolerances)} tolerances for {x.shape[-1]} objectives: give one each"
            )
        return x


def _split(best: Array) -> Floats:
    """Returns each candidate's share of the draws from bool [draws, candidates]; equals split a draw."""
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def _p_beats(draws: Floats, tolerances: Sequence[float]) -> Floats:
    """Returns the shares of draws in which the row is better; draws are [draws, candidates, objectives]."""
    count = draws.shape[1]
    lead = np.zeros((count, count))
    step = max(_PAIRS // count**2, 1)
    for start in range(0, len(draws), step):
        sign = np.zeros((len(draws[start : start + step]), count, count))
        for values, tolerance in zip(
            np.moveaxis(draws[start : start + step], -1, 0), tolerances, strict=True
        ):
            gap = values[:, :, None] - values[:, None, :]
            sign = np.where(sign == 0, np.sign(gap) * (np.abs(gap) > tolerance), sign)
        lead += sign.sum(axis=0)
    return np.asarray(0.5 + lead / (2 * len(draws)))
