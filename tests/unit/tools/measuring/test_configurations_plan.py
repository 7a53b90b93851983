from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.estimation.performance.space import Constraint, Option, OptionKind, Space
from sidecar.tools.measuring.plan import plan

SPACE = Space(
    (
        Option("threads", OptionKind.LOG, (1, 2, 4, 8), 2),
        Option("batch_size", OptionKind.LOG, (1, 4, 16, 64), 1),
        Option("mode", OptionKind.CATEGORICAL, ("a", "b"), "b"),
    ),
    (Constraint({"mode": ("a",)}, {"threads": (1, 2)}),),
)


@given(st.integers(1, 40), st.integers(0, 5))
def test_defaults_come_first_no_configuration_twice_all_allowed(budget: int, seed: int) -> None:
    codes = plan(SPACE, budget, np.random.default_rng(seed))
    assert SPACE.configuration(codes[0]) == SPACE.defaults
    assert len(np.unique(codes, axis=0)) == len(codes) == min(budget, len(SPACE.every()))
    for row in codes:
        SPACE.code(SPACE.configuration(row))


def test_a_longer_plan_begins_like_a_shorter_one() -> None:
    short, long = (plan(SPACE, budget, np.random.default_rng(3)) for budget in (5, 12))
    assert np.array_equal(long[:5], short)


def test_each_next_is_the_farthest_from_those_before() -> None:
    codes = plan(SPACE, 10, np.random.default_rng(0))
    every = SPACE.features(SPACE.every())
    chosen = SPACE.features(codes)
    for count in range(1, 10):
        apart = np.linalg.norm(every[:, None] - chosen[None, :count], axis=2).min(axis=1)
        mine = np.linalg.norm(chosen[count] - chosen[:count], axis=1).min()
        assert mine == pytest.approx(apart.max())


def test_the_second_differs_from_the_defaults_in_every_option() -> None:
    free = Space(SPACE.options)
    first, second = plan(free, 2, np.random.default_rng(0))
    assert (first != second).all()
