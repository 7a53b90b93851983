"""A made-up system whose true cost in two environments is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Constraint, Option, OptionKind, Space
from sidecar.estimation.performance.table import PerformanceTable

SPACE = Space(
    (
        Option("threads", OptionKind.LOG, (1, 2, 4, 8), 1),
        Option("mode", OptionKind.CATEGORICAL, ("plain", "fused", "eager"), "plain"),
        Option("batch", OptionKind.LOG, (1, 4, 16, 64), 1),
        Option("level", OptionKind.ORDINAL, ("none", "some", "all"), "all"),
        Option("share", OptionKind.NUMERIC, (0.0, 0.5, 1.0), 0.0),
    )
)
# Eager mode cannot be optimised.
CONSTRAINED = Space(SPACE.options, (Constraint({"mode": ("eager",)}, {"level": ("none",)}),))


def source_cost(codes: Floats) -> Floats:
    """Logarithm of seconds elsewhere: threads matter more for fused."""
    threads, mode, batch = np.log(codes[:, 0]), codes[:, 1], np.log(codes[:, 2])
    cost: Floats = -4 + 0.8 * batch - 0.4 * threads - 0.2 * (mode == 1) * threads + 0.1 * codes[:, 3]
    return cost


def target_cost(codes: Floats) -> Floats:
    """Logarithm of seconds here: half as fast, and eager is slow."""
    cost: Floats = np.log(2.0) + source_cost(codes) + 0.3 * (codes[:, 1] == 2)
    return cost


def measured(
    space: Space, name: str, cost: Callable[[Floats], Floats], rows: int, seed: int, noise: float = 0.02
) -> PerformanceTable:
    rng = np.random.default_rng(seed)
    codes = space.draw(rows, rng)
    values = np.exp(cost(codes) + rng.normal(0, noise, len(codes)))
    return PerformanceTable(space, {"machine": name}, codes, {"latency_s": values})


@cache
def elsewhere() -> Source:
    return Source.learn(measured(SPACE, "elsewhere", source_cost, 200, seed=0), "latency_s")


def here(rows: int, seed: int = 1) -> PerformanceTable:
    return measured(SPACE, "here", target_cost, rows, seed)
