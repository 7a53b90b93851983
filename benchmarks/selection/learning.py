"""Learns how estimates err from windows whose truth is known; every file counts the same.

Nothing here is chosen by looking at what it is judged on: factors are fitted, and how much errors are widened
and when a ranking may promise anything follow from windows of files that the factors were not fitted on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.optimize import minimize

from benchmarks.selection.window import Window
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.errors import (
    draw,
    from_answers,
    from_validation,
    level_error_terms,
    level_terms,
    log_odds,
    own_error_terms,
    spread_of,
)
from sidecar.estimation.accuracy.learned import Learned, Signals

LEVEL: Final = 0.9
TOLERANCE: Final = 0.05
_DEVIATIONS: Final = 1.6448536269514722
_FOLDS: Final = 8
_DRAWS: Final = 200
# Least absolute deviations by weighted squares: deviations below this count as squares, log odds.
_NEAR: Final = 0.1
_STEPS: Final = 20
# Little weight for anything beyond a level: few sources must not fit large numbers.
_RIDGE: Final = 1e-3
_ERROR_RIDGE: Final = 0.02
# Errors have heavier tails than the normal law: Student's with so many degrees of freedom.
_TAILS: Final = 4
_SURE: Final = tuple(np.arange(0.98, 0.49, -0.02).round(2).tolist())
_LEAST_PROMISES: Final = 20


@dataclass(frozen=True, slots=True)
class Known:
    """A window with signals, beside the truth."""

    source: str
    signals: Signals
    accuracy: Floats

    @property
    def odds(self) -> Floats:
        """True accuracies, log odds [C]."""
        return log_odds(self.accuracy)


def known(windows: Sequence[Window]) -> list[Known]:
    """The windows that something can be learned from."""
    return [
        Known(one.source, one.signals, one.accuracy)
        for one in windows
        if one.signals is not None and not one.control
    ]


def learn(windows: Sequence[Known]) -> Learned:
    """Learns everything from windows of several sources.

    Args:
        windows: of at least two sources.
    """
    sources = sorted({one.source for one in windows})
    order = np.random.default_rng(0).permutation(len(sources))
    fold = {sources[place]: number % _FOLDS for number, place in enumerate(order)}
    of = np.array([fold[one.source] for one in windows])
    weights = _weights(windows)
    # Errors are those on sources that the means were not fitted on.
    level, own = np.zeros(len(windows)), np.zeros(len(windows))
    fitted: dict[int, Learned] = {}
    for number in set(of.tolist()):
        fitted[number] = _means(_some(windows, of != number), weights[of != number])
        for place in np.flatnonzero(of == number).tolist():
            window = windows[place]
            left = window.odds - from_answers(window.signals, fitted[number])[0]
            level[place], own[place] = left.mean() ** 2, left.var(ddof=1)
    apart = [
        _errors(
            fitted[number],
            _some(windows, of != number),
            level[of != number],
            own[of != number],
            weights[of != number],
        )
        if number in fitted
        else None
        for number in range(_FOLDS)
    ]
    judges = [one for one in (apart[number] for number in of) if one is not None]
    whole = _errors(_means(windows, weights), windows, level, own, weights)
    widening, validated = _widenings(windows, judges, weights)
    widened = [replace(one, widening=widening, validated_widening=validated) for one in judges]
    return replace(whole, widening=widening, validated_widening=validated, sure=_sure(windows, widened))


def _means(windows: Sequence[Known], weights: Floats) -> Learned:
    """Fits the factors of level and spread by least absolute deviations."""
    levels = np.stack([level_terms(one.signals) for one in windows])
    level = _least_deviations(levels, np.array([one.odds.mean() for one in windows]), weights)
    sizes = [len(one.accuracy) for one in windows]
    apart = np.concatenate([spread_of(one.signals) for one in windows])[:, None]
    truths = np.concatenate([np.asarray(one.odds - one.odds.mean()) for one in windows])
    spread = _least_deviations(apart, truths, np.repeat(weights / sizes, sizes))
    return Learned(tuple(level.tolist()), float(spread[0]), (0.0,) * 6, (0.0,) * 3, 1.0, 1.0, LEVEL)


def _errors(means: Learned, windows: Sequence[Known], level: Floats, own: Floats, weights: Floats) -> Learned:
    """Fits the factors of the errors by the squares that were left over."""
    of_level = _log_deviations(np.stack([level_error_terms(one.signals) for one in windows]), level, weights)
    of_own = _log_deviations(np.stack([own_error_terms(one.signals) for one in windows]), own, weights)
    return replace(means, level_error=tuple(of_level.tolist()), own_error=tuple(of_own.tolist()))


def _widenings(windows: Sequence[Known], judges: Sequence[Learned], weights: Floats) -> tuple[float, float]:
    """Factors with which as many intervals hold the truth as they should, mean over sources.

    References:
        Vovk, Gammerman & Shafer 2005, conformal prediction; here a source is one exchangeable unit.
    """
    sources = len({one.source for one in windows})
    plain: list[tuple[float, float]] = []
    fitting: list[tuple[float, float]] = []
    for window, learned, weight in zip(windows, judges, weights, strict=True):
        signals, odds = window.signals, window.odds
        means, errors = from_answers(signals, learned)
        inner = np.clip(window.accuracy, 0.02, 0.98)
        variance = errors.diagonal() + 1 / (signals.items * inner * (1 - inner))
        validated = from_validation(signals, means, errors)
        fits = np.zeros(len(odds), dtype=bool) if validated is None else validated[2] > 0.5
        share = weight / len(odds)
        ratios = np.abs(odds - means) / (_DEVIATIONS * np.sqrt(variance))
        plain += [(ratio, share) for ratio in ratios[~fits].tolist()]
        if validated is not None:
            left = np.sqrt(np.maximum(validated[1].diagonal(), np.finfo(float).tiny))
            ratios = np.abs(odds - validated[0]) / (_DEVIATIONS * left)
            fitting += [(ratio, share) for ratio in ratios[fits].tolist()]
    return _quantile(plain, sources), _quantile(fitting, sources)


def _sure(windows: Sequence[Known], judges: Sequence[Learned]) -> float:
    """The least share of draws at which promises are kept as often as they should be.

    Both over all rankings and as a mean over sources, among which the next source counts as one that keeps
    none; 1 where no share is enough.

    References:
        Angelopoulos et al. 2024, conformal risk control; here a source is one exchangeable unit.
    """
    shares, kept = [], []
    for window, learned in zip(windows, judges, strict=True):
        value, draws = draw(window.signals, learned, np.random.default_rng(0), _DRAWS)
        first = int(value.argmax())
        shares.append(float((draws.max(axis=1) - draws[:, first] <= TOLERANCE).mean()))
        kept.append(bool(window.accuracy.max() - window.accuracy[first] <= TOLERANCE))
    promised, held = np.array(shares), np.array(kept)
    sources = np.array([one.source for one in windows])
    least = 1.0
    for share in _SURE:
        said = promised >= share
        if not said.any():
            continue
        by_source = [float(held[said & (sources == one)].mean()) for one in np.unique(sources[said])]
        if min(sum(by_source) / (len(by_source) + 1), float(held[said].mean())) >= LEVEL:
            least = share
        elif said.sum() > _LEAST_PROMISES:
            break
    return least


def _weights(windows: Sequence[Known]) -> Floats:
    """What each window counts: all of one source as much as all of another."""
    counts = Counter(one.source for one in windows)
    return np.array([1 / counts[one.source] for one in windows])


def _some(windows: Sequence[Known], chosen: Array) -> list[Known]:
    return [one for one, wanted in zip(windows, chosen, strict=True) if wanted]


def _least_deviations(terms: Floats, truths: Floats, weights: Floats) -> Floats:
    """Linear factors by iteratively reweighted squares.

    References:
        Schlossmacher 1973.
    """
    scale = np.asarray(np.sqrt(np.average(terms**2, axis=0, weights=weights))) + np.finfo(float).eps
    scaled, each = terms / scale, np.ones(len(truths))
    factors: Floats = np.zeros(terms.shape[1])
    for _ in range(_STEPS):
        weighted = scaled.T * (weights * each)
        ridge = _RIDGE * (weights @ each) * np.eye(terms.shape[1])
        factors = np.asarray(np.linalg.solve(weighted @ scaled + ridge, weighted @ truths), dtype=np.float64)
        each = 1 / np.maximum(np.abs(truths - scaled @ factors), _NEAR)
    return np.asarray(factors / scale)


def _log_deviations(terms: Floats, squares: Floats, weights: Floats) -> Floats:
    """Factors of the logarithm of a standard deviation, by the likelihood of squared errors.

    References:
        Lange, Little & Taylor 1989, Student's law for errors with heavy tails.
    """
    middle, scale = terms[:, 1:].mean(axis=0), np.maximum(terms[:, 1:].std(axis=0), 1e-6)
    scaled = np.column_stack([np.ones(len(terms)), (terms[:, 1:] - middle) / scale])
    total = weights.sum()

    def loss(factors: Floats) -> tuple[float, Floats]:
        logarithms = scaled @ factors
        ratios = squares * np.exp(-2 * logarithms) / _TAILS
        value = weights @ (logarithms + (_TAILS + 1) / 2 * np.log1p(ratios)) / total
        slopes = scaled.T @ (weights * (1 - (_TAILS + 1) * ratios / (1 + ratios))) / total
        value += _ERROR_RIDGE * (factors[1:] ** 2).sum()
        return float(value), slopes + 2 * _ERROR_RIDGE * np.concatenate([[0], factors[1:]])

    start = np.zeros(terms.shape[1])
    start[0] = np.log(np.average(squares, weights=weights) + 1e-6) / 2
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    factors = np.concatenate([[0], found[1:] / scale])
    factors[0] = found[0] - middle @ factors[1:]
    return np.asarray(factors)


def _quantile(weighted: Sequence[tuple[float, float]], sources: int) -> float:
    """The value that LEVEL of the weight lies at or below, the next source's at infinity; 1 without any."""
    if not weighted:
        return 1.0
    values, weights = np.array(weighted).T
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(
        values[order][min(np.searchsorted(reached, LEVEL * (sources + 1) / sources), len(values) - 1)]
    )
