"""From signals to accuracies with calibrated draws.

Where the traffic fits a validated source, validation speaks: the accuracy that calibrated confidence promises
is a measurement with known sampling noise, and answers only sharpen it. Elsewhere the level comes from how
the candidates agree and the order from their consensus, and errors are what such estimates had on other
sources. Which of the two holds is drawn by the probability that the traffic fits.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.learned import Learned, Signals

# Log odds of 0 and 1 are infinite: one right and one wrong answer in a hundred are always possible.
_ROOM: Final = 0.01
# Consensuses that hardly differ between candidates are no more alike than this, log odds.
_LEAST_SPREAD: Final = 0.05
# The validation rows of two candidates are not the same rows, or not quite.
_SAME_ROWS: Final = 0.9
# What a validation misses beyond sampling: preprocessing, rounding, ties; log odds.
_BEYOND_SAMPLING: Final = 0.05
# Below this chance a source is not drawn as the traffic's own.
_LEAST_FIT: Final = 0.01
# Variances smaller than this share of the largest are rounding, and would tell copies of a model apart.
_SAME: Final = 1e-12


def log_odds(shares: Floats) -> Floats:
    """Takes shares to log odds that stay finite."""
    inner = _ROOM + (1 - 2 * _ROOM) * shares
    return np.asarray(np.log(inner / (1 - inner)))


def shares_of(odds: Floats) -> Floats:
    """Takes log odds back to shares, 0 to 1."""
    return np.asarray((1 / (1 + np.exp(-odds)) - _ROOM) / (1 - 2 * _ROOM)).clip(0, 1)


def level_terms(signals: Signals) -> Floats:
    """What the candidates' mean accuracy is linear in [6]."""
    agreement, pooled, consensus = _means(signals)
    chance = float(log_odds(np.array(1 / signals.classes)))
    return np.array([1, agreement, pooled - agreement, consensus - agreement, signals.kappa, chance])


def level_error_terms(signals: Signals) -> Floats:
    """What the logarithm of the shared error is linear in [6]: estimates that disagree are signs of error."""
    agreement, pooled, consensus = _means(signals)
    chance = float(log_odds(np.array(1 / signals.classes)))
    few = 1 / np.sqrt(len(signals.consensus))
    return np.array(
        [1, signals.kappa, abs(pooled - agreement), abs(consensus - agreement), few, chance], dtype=np.float64
    )


def own_error_terms(signals: Signals) -> Floats:
    """What the logarithm of a candidate's own error is linear in [3]."""
    spread = float(log_odds(signals.consensus).std())
    return np.array([1, signals.kappa, np.log(spread + _LEAST_SPREAD)])


def spread_of(signals: Signals) -> Floats:
    """How far each candidate lies from the mean under the consensus, log odds [C]."""
    consensus = log_odds(signals.consensus)
    return np.asarray(consensus - consensus.mean())


def from_answers(signals: Signals, learned: Learned) -> tuple[Floats, Floats]:
    """Accuracies by the answers alone: means and covariance of their errors, log odds [C], [C, C]."""
    means = level_terms(signals) @ np.array(learned.level) + learned.spread * spread_of(signals)
    level = np.exp(level_error_terms(signals) @ np.array(learned.level_error))
    own = np.exp(own_error_terms(signals) @ np.array(learned.own_error))
    return np.asarray(means), np.asarray(level**2 + own**2 * signals.correlation)


def from_validation(signals: Signals, means: Floats, errors: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Accuracies where the traffic fits: the answers' estimate, corrected by what validation measured.

    A candidate whose source the traffic does not fit is corrected by what the others' validation says of the
    level that all share.

    Args:
        signals: signals of the window.
        means: as `from_answers` gives them [C].
        errors: the same [C, C].

    Returns:
        means [C], covariance [C, C] and the probability that this holds for each [C]; None where no candidate
        was validated on a source that the traffic may be from.

    References:
        Kalman 1960, the update by a linear measurement.
    """
    known = np.isfinite(signals.promised) & (signals.validation_rows > 0) & (signals.fit > _LEAST_FIT)
    if not known.any():
        return None
    promised = np.clip(signals.promised[known], 2 * _ROOM, 1 - 2 * _ROOM)
    sampling = (1 / signals.validation_rows[known] + 1 / signals.items) / (promised * (1 - promised))
    same = _SAME_ROWS * signals.correlation[np.ix_(known, known)] + (1 - _SAME_ROWS) * np.eye(known.sum())
    noise = np.sqrt(np.outer(sampling, sampling)) * same + _BEYOND_SAMPLING**2 * np.eye(known.sum())
    gain = errors[:, known] @ np.linalg.inv(errors[np.ix_(known, known)] + noise)
    corrected = means + gain @ (log_odds(signals.promised[known]) - means[known])
    left = errors - gain @ errors[known]
    chance = np.where(known, signals.fit, signals.fit[known].max())
    return corrected, np.asarray((left + left.T) / 2), chance


def draw(signals: Signals, learned: Learned, rng: np.random.Generator, draws: int) -> tuple[Floats, Floats]:
    """Estimates accuracies and draws what else they could be.

    Args:
        signals: signals of a window.
        learned: on sources other than the window's.
        rng: for the draws.
        draws: how many, even: each error comes with both signs.

    Returns:
        the estimates [C], and draws that are joint over candidates [draws, C]; both 0 to 1.
    """
    means, errors = from_answers(signals, learned)
    plain = rng.standard_normal((draws // 2, len(means)))
    plain = np.concatenate([plain, -plain])
    regime = np.tile(rng.random((draws // 2, 1)), (2, 1))
    value = shares_of(means)
    inner = np.clip(value, 2 * _ROOM, 1 - 2 * _ROOM)
    sampling = 1 / np.sqrt(signals.items * inner * (1 - inner))
    sampled = np.outer(sampling, sampling) * signals.correlation
    drawn = shares_of(_normal(means, learned.widening**2 * errors + sampled, plain))
    validated = from_validation(signals, means, errors)
    if validated is not None:
        corrected, left, chance = validated
        fitting = shares_of(_normal(corrected, learned.validated_widening**2 * left, plain))
        value = chance * shares_of(corrected) + (1 - chance) * value
        drawn = np.where(regime < chance, fitting, drawn)
    # The mean of shares is pulled towards one half by how uncertain they are: that must not order candidates.
    return value, np.clip(drawn + value - drawn.mean(axis=0), 0, 1)


def _means(signals: Signals) -> tuple[float, float, float]:
    """Mean log odds of agreement, pooled probabilities and consensus."""
    return (
        float(log_odds(signals.agreement).mean()),
        float(log_odds(signals.pooled).mean()),
        float(log_odds(signals.consensus).mean()),
    )


def _normal(means: Floats, covariance: Floats, plain: Floats) -> Floats:
    """Normal draws with a covariance [draws, C], from standard normal ones."""
    values, vectors = np.linalg.eigh(covariance)
    scale = np.sqrt(np.where(values > values[-1] * _SAME, values, 0.0))
    return np.asarray(means + (plain * scale) @ vectors.T)
