"""Instances that tests of `sidecar.estimation.frontier` share: with ties, with duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from sidecar.core.tensors import Floats


@dataclass(frozen=True)
class Case:
    points: Floats
    directions: tuple[int, ...]


@st.composite
def cases(draw: st.DrawFn, most: int = 12, objectives: int = 6) -> Case:
    """Values above 0: few integers or spread over orders of magnitude; some candidates may be equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, most)), draw(st.integers(1, objectives))
    if draw(st.booleans()):
        points = rng.integers(1, draw(st.integers(2, 6)), shape).astype(np.float64)
    else:
        points = np.exp(rng.normal(0, 2, shape))
    if draw(st.booleans()):
        points = np.concatenate([points, points[:: draw(st.integers(1, 3))]])
    return Case(points, tuple(rng.choice([-1, 1], shape[1]).tolist()))


def dominates(one: Floats, other: Floats, directions: tuple[int, ...]) -> bool:
    """By the plain definition."""
    gaps = [(a - b) * direction for a, b, direction in zip(one, other, directions, strict=True)]
    return all(gap >= 0 for gap in gaps) and any(gap > 0 for gap in gaps)


def sphere(count: int, objectives: int, seed: int = 0) -> Floats:
    """Points that do not dominate each other where all are goods, all above 0."""
    values = np.abs(np.random.default_rng(seed).standard_normal((count, objectives))) + 0.01
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))
