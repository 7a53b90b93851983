"""Which configurations to measure when there is not time for all."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.space import Space

# Candidates to choose from in a space too large to list; far more than anyone measures.
_POOL: Final = 4096


def plan(space: Space, budget: int, rng: np.random.Generator) -> Floats:
    """The defaults, then always the configuration farthest from all chosen before it.

    Args:
        space: the options with the values to measure.
        budget: configurations, at most.
        rng: breaks ties, and draws candidates where the space is too large to list.

    Returns:
        codes, shape [configurations, options]: all that there are where the budget allows.

    References:
        Gonzalez, Clustering to minimize the maximum intercluster distance, 1985: the greedy choice
        leaves no configuration farther from a measured one than twice what the best choice would.
    """
    defaults = space.code(space.defaults)
    drawn = space.draw(max(budget, _POOL), rng)
    pool = np.concatenate([defaults[None], drawn[(drawn != defaults).any(axis=1)]])
    features = space.features(pool)
    chosen = [0]
    nearest = _distances(features, 0)
    while len(chosen) < min(budget, len(pool)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(features, chosen[-1]))
    return pool[chosen]


def _distances(features: Floats, row: int) -> Floats:
    return np.asarray(((features - features[row]) ** 2).sum(axis=1))
