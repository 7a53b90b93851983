"""What the frontier's kernels cost from 100 models on, beside moocore on the same points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import moocore
import numpy as np

from benchmarks.performance_models.report import Bar
from sidecar.core.tensors import Floats
from sidecar.estimation.frontier.dominance import nondominated, pareto_ranks
from sidecar.estimation.frontier.envelopment import envelopment
from sidecar.estimation.frontier.free_disposal import free_disposal
from sidecar.estimation.frontier.random import random_frontier

SIZES = (100, 1_000, 10_000, 100_000)
OBJECTIVES = 4
DIRECTIONS = (1, 1, -1, -1)
# Beyond, n^2 steps take minutes.
_QUADRATIC = 10_000
_MIXED = 1_000
_REPEATS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that the kernels took; None where they were not run.

    Attributes:
        points: "cube": anywhere, few are nondominated; "sphere": all of them are.
    """

    points: str
    models: int
    front: int
    nondominated_s: float
    moocore_s: float
    ranks_s: float | None
    fdh_s: float | None
    bcc_s: float | None


def costs() -> Iterator[Cost]:
    """Measures every size with both kinds of points."""
    rng = np.random.default_rng(0)
    for kind in ("cube", "sphere"):
        for size in SIZES:
            points = _points(kind, size, rng)
            turned = points * np.array(DIRECTIONS)
            ours_s, ours = _timed(partial(nondominated, points, DIRECTIONS))
            theirs_s, theirs = _timed(partial(moocore.is_nondominated, turned, maximise=True))
            if not np.array_equal(ours, theirs):
                raise SystemExit(f"{kind}, {size}: moocore finds another frontier")
            yield Cost(
                kind,
                size,
                int(ours.sum()),
                ours_s,
                theirs_s,
                _seconds(partial(pareto_ranks, points, DIRECTIONS), size <= _QUADRATIC),
                _seconds(partial(free_disposal, points, DIRECTIONS), size <= _QUADRATIC),
                _seconds(partial(envelopment, points, DIRECTIONS, "bcc"), size <= _MIXED),
            )


def bars(measured: list[Cost]) -> list[Bar]:
    """Compares with the limits."""
    found = []
    for one in measured:
        if one.models != _QUADRATIC or one.fdh_s is None:
            continue
        where = f"{one.models:,} x {OBJECTIVES}, {one.points}"
        found += [
            Bar(f"nondominated {where} < 0.2 s", f"{one.nondominated_s:.4f} s", one.nondominated_s < 0.2),
            Bar(f"FDH {where} < 3 s", f"{one.fdh_s:.3f} s", one.fdh_s < 3),
        ]
        # Where all points are nondominated each is compared with many, and compiled code is ahead: no bar.
        if one.points == "cube":
            ratio = one.nondominated_s / one.moocore_s
            found.append(Bar(f"nondominated {where} <= 1.0 x moocore", f"{ratio:.2f} x", ratio <= 1.0))
    rng = np.random.default_rng(1)
    for kind in ("cube", "sphere"):
        draws = _points(kind, 200, rng) * np.exp(rng.normal(0, 0.02, (1_000, 200, OBJECTIVES)))
        seconds, _ = _timed(partial(random_frontier, draws, DIRECTIONS, 0.9), 1)
        name = f"random frontier of 1,000 draws x 200 models x {OBJECTIVES}, {kind} < 1 s"
        found.append(Bar(name, f"{seconds:.2f} s", seconds < 1))
    return found


def _points(kind: str, count: int, rng: np.random.Generator) -> Floats:
    """Goods and costs above 0, shape [count, OBJECTIVES]."""
    if kind == "cube":
        return np.asarray(rng.uniform(0.05, 1.0, (count, OBJECTIVES)))
    values = np.abs(rng.standard_normal((count, OBJECTIVES))) + 0.01
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return np.where(np.array(DIRECTIONS) > 0, values, 1.1 - values)


def _seconds(run: Callable[[], object], wanted: bool) -> float | None:  # noqa: FBT001 - private
    return _timed(run, 1)[0] if wanted else None


def _timed(run: Callable[[], T], repeats: int = _REPEATS) -> tuple[float, T]:
    """The fewest seconds of several runs, and the answer."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), answer
