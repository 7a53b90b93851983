"""Options and pairs of options that move a metric, chosen step by step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np

from sidecar.core.tensors import Array, Floats

# The options of one term: one for a main effect, two for an interaction.
Term: TypeAlias = tuple[int, ...]

# More terms than a dozen are never all influential, and each costs measurements.
_MOST_TERMS: Final = 12
# Interactions are tried among so many of the strongest options.
_PAIRED: Final = 6


def columns(features: Floats, groups: Array, terms: Sequence[Term]) -> list[Floats]:
    """Makes each term's columns: an option's features and their squares, or products of two options'.

    Args:
        features: shape [rows, features].
        groups: option of each feature.
        terms: which.

    Returns:
        an array [rows, columns] for each term.
    """
    found = []
    for term in terms:
        first, *second = (features[:, groups == option] - 0.5 for option in term)
        if second:
            found.append((first[:, :, None] * second[0][:, None, :]).reshape(len(features), -1))
        else:
            # A single column is an ordered option: a square lets it bend. One-hot columns need none.
            found.append(first if first.shape[1] > 1 else np.concatenate([first, first**2], axis=1))
    return found


def stepwise(features: Floats, groups: Array, values: Floats) -> list[Term]:
    """Adds the term that lowers the Bayesian information criterion most, until none does.

    Args:
        features: shape [rows, features].
        groups: option of each feature, shape [features].
        values: what is to be explained, shape [rows].

    Returns:
        the terms in the order in which they were added; interactions only of options that are in.

    References:
        guided sampling, arXiv 1904.02838.
    """
    options = int(groups.max()) + 1
    open_terms: list[Term] = [(option,) for option in range(options)]
    chosen: list[Term] = []
    design = np.ones((len(values), 1))
    best = _criterion(design, values)
    while len(chosen) < _MOST_TERMS:
        trials = columns(features, groups, open_terms)
        scores = [_criterion(np.concatenate([design, trial], axis=1), values) for trial in trials]
        if not scores or min(scores) >= best:
            break
        place = int(np.argmin(scores))
        best = scores[place]
        design = np.concatenate([design, trials[place]], axis=1)
        chosen.append(open_terms.pop(place))
        singles = [term[0] for term in chosen if len(term) == 1][:_PAIRED]
        pairs = [tuple(sorted(pair)) for pair in combinations(singles, 2)]
        open_terms += [pair for pair in pairs if pair not in chosen and pair not in open_terms]
    return chosen


def _criterion(design: Floats, values: Floats) -> float:
    rows = len(values)
    solution, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    if rank >= rows:
        return np.inf
    error = float(((values - design @ solution) ** 2).mean())
    # The floor keeps a perfect fit from being minus infinity.
    return float(rows * np.log(max(error, 1e-12)) + rank * np.log(rows))
