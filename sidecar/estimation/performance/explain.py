"""Which options and pairs of options move a metric: in the target, and in each source beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.model import PerformanceModel

# Configurations over which effects are averaged: shares are then within 0.02.
_ROWS: Final = 4096


@dataclass(frozen=True, slots=True)
class Influence:
    """What an option, or two together beyond each alone, contributes.

    Attributes:
        options: one name or two.
        target: share of the variance of the metric's logarithm over the space, 0..1.
        sources: share in each source, in the model's order.
    """

    options: tuple[str, ...]
    target: float
    sources: tuple[float, ...]


def explain(model: PerformanceModel, rng: np.random.Generator) -> tuple[Influence, ...]:
    """Takes the variance over the space apart.

    Shares are of what the models say, without measurement noise; they add up to at most 1, and what is
    missing is due to three or more options together.

    Args:
        model: model of the target.
        rng: draws configurations.

    Returns:
        all options and pairs that have an influence anywhere, strongest in the target first.

    References:
        first- and second-order Sobol indices (Sobol 1993), estimated by an analysis of variance whose
        shares are corrected for chance where the space is larger than the sample (omega squared, Hays 1963).
    """
    space = model.space
    codes = space.draw(_ROWS, rng)
    levels = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in codes.T]
    rows = model.task.pool.rows(codes)
    functions = [model.fitted.predict(rows)[0], *rows.each.T]
    options = range(len(levels))
    places: list[tuple[int, ...]] = [*combinations(options, 1), *combinations(options, 2)]
    sampled = space.size > _ROWS
    shares = [_shares(levels, function, places, sampled=sampled) for function in functions]
    found = [
        Influence(
            tuple(space.names[option] for option in place),
            shares[0][place],
            tuple(source[place] for source in shares[1:]),
        )
        for place in places
    ]
    found = [one for one in found if one.target > 0 or any(one.sources)]
    return tuple(sorted(found, key=lambda one: -one.target))


def _shares(
    levels: list[Array], values: Floats, places: list[tuple[int, ...]], *, sampled: bool
) -> dict[tuple[int, ...], float]:
    total = float(((values - values.mean()) ** 2).sum())
    found: dict[tuple[int, ...], float] = {}
    for place in places:
        if len(place) == 1:
            groups = levels[place[0]]
        else:
            first, second = levels[place[0]], levels[place[1]]
            groups = first * (second.max() + 1) + second
        share = _explained(groups, values, total, sampled=sampled)
        # A pair's groups explain what each of the two does as well.
        inner = sum(found[one,] for one in place) if len(place) > 1 else 0.0
        found[place] = max(0.0, share - inner)
    return found


def _explained(groups: Array, values: Floats, total: float, *, sampled: bool) -> float:
    """Share of the sum of squares that lies between groups, less what a sample would put there by chance."""
    counts = np.bincount(groups)
    used = int((counts > 0).sum())
    sums = np.bincount(groups, weights=values)
    between = float((sums**2 / np.maximum(counts, 1)).sum() - len(values) * values.mean() ** 2)
    freedom = len(values) - used
    if freedom <= 0 or total <= 0:
        return 0.0
    if not sampled:
        return min(1.0, max(0.0, between / total))
    within = max(total - between, 0.0) / freedom
    return max(0.0, (between - (used - 1) * within) / (total + within))
