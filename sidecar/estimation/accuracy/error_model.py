"""How far consensus lies from the truth on domains where the truth is known.

Candidates share errors, so a consensus of their votes is too high, and it spreads them too far apart.
The correction is linear on the scale of log odds; what is left over is one error that all candidates
of a window share and one of each candidate's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats

# Log odds of 0 and 1 are infinite: one right and one wrong answer in a hundred are always possible.
_ROOM = 0.01
# Consensus and validation are then two estimates, and neither is known to be the better one.
_VALIDATED = 0.5
_RIDGE = 0.002
_STEPS = 30
# Deviations below this, in log odds, count as squares: otherwise weights grow without bound.
_NEAR = 0.05


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """The correction of one window's consensus, and the errors that remain.

    Attributes:
        level: added to all.
        pool: factor of the candidates' mean log odds.
        spread: factor of each candidate's distance from that mean.
        shared_sd: standard deviation of the error that all candidates share, log odds.
        own_sd: the same of each candidate's own error.
        validated: weight of the validation accuracy where the traffic is like a candidate's source.
    """

    level: float
    pool: float
    spread: float
    shared_sd: float
    own_sd: float
    validated: float

    def corrected(self, consensus: Floats) -> Floats:
        """Corrects expected correctness under the consensus; keeps the candidates' order.

        Args:
            consensus: 0 to 1, shape [..., C].

        Returns:
            between 0 and 1, the same shape.
        """
        return _share(_terms(consensus) @ self._factors)

    def drawn(self, consensus: Floats, alike: Array, rng: np.random.Generator) -> Floats:
        """Corrects draws and adds to each the errors that remain.

        Args:
            consensus: shape [B, C].
            alike: a number for each candidate, shape [C]; those with the same one err alike.
            rng: for the errors.

        Returns:
            between 0 and 1, shape [B, C].
        """
        draws = len(consensus)
        shared = self.shared_sd * rng.standard_normal((draws, 1))
        own = self.own_sd * rng.standard_normal((draws, int(alike.max()) + 1))[:, alike]
        return _share(_terms(consensus) @ self._factors + shared + own)

    def widened(self, factor: float) -> ErrorModel:
        """The same correction with larger errors."""
        return replace(self, shared_sd=factor * self.shared_sd, own_sd=factor * self.own_sd)

    @property
    def _factors(self) -> Floats:
        return np.array([self.level, self.pool, self.spread])


@dataclass(frozen=True, slots=True)
class Judged:
    """One window whose truth is known.

    Attributes:
        group: windows of one group weigh as much together as those of another.
        consensus: expected correctness under the consensus, shape [C].
        truth: accuracy, shape [C].
    """

    group: str
    consensus: Floats
    truth: Floats


def fit_error_model(windows: Sequence[Judged]) -> ErrorModel:
    """Fits the correction by least absolute deviations and the errors by what it leaves over.

    Args:
        windows: at least one, each of at least two candidates.

    References:
        iteratively reweighted least squares (Schlossmacher 1973).
    """
    groups = [one.group for one in windows]
    shares = np.array([1 / groups.count(one.group) for one in windows]) / len(set(groups))
    sizes = np.array([len(one.truth) for one in windows])
    weights = np.repeat(shares / sizes, sizes)
    terms = np.concatenate([_terms(one.consensus) for one in windows])
    truths = _log_odds(np.concatenate([one.truth for one in windows]))
    # Little weight for anything beyond a level: few benchmarks must not fit large numbers.
    ridge = _RIDGE * np.diag([0.0, 1.0, 1.0])
    each = np.ones(len(truths))
    for _ in range(_STEPS):
        weighted = terms.T * (weights * each)
        ridged = weighted @ terms + ridge * (weights @ each)
        factors = np.linalg.solve(ridged, weighted @ truths)
        each = 1 / np.maximum(np.abs(truths - terms @ factors), _NEAR)
    left = np.split(truths - terms @ factors, np.cumsum(sizes)[:-1])
    level, pool, spread = factors.tolist()
    return ErrorModel(
        level=level,
        pool=pool,
        spread=spread,
        shared_sd=float(np.sqrt(shares @ [one.mean() ** 2 for one in left])),
        own_sd=float(np.sqrt(shares @ [one.var(ddof=1) for one in left])),
        validated=_VALIDATED,
    )


# Fitted by `python -m benchmarks.selection` on all its workloads but the control; see benchmarks/README.md.
FITTED: Final = ErrorModel(
    level=-0.29, pool=0.97, spread=0.70, shared_sd=0.23, own_sd=0.29, validated=_VALIDATED
)


def _terms(consensus: Floats) -> Floats:
    """What the correction is linear in, shape [..., C, 3]."""
    odds = _log_odds(consensus)
    mean = np.broadcast_to(odds.mean(axis=-1, keepdims=True), odds.shape)
    return np.stack([np.ones_like(odds), mean, odds - mean], axis=-1)


def _log_odds(shares: Floats) -> Floats:
    inner = _ROOM + (1 - 2 * _ROOM) * shares
    return np.asarray(np.log(inner / (1 - inner)))


def _share(odds: Floats) -> Floats:
    return np.asarray((1 / (1 + np.exp(-odds)) - _ROOM) / (1 - 2 * _ROOM)).clip(0, 1)
