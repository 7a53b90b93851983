from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.estimation.frontier.free_disposal import free_disposal
from sidecar.estimation.frontier.random import random_frontier
from tests.support.frontier_cases import Case, cases


@settings(max_examples=50)
@given(cases(), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_it_is_what_each_draw_says_by_itself(case: Case, count: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.5, (count, *case.points.shape))
    draws = case.points * np.exp(noise)
    found = random_frontier(draws, case.directions, 0.8)
    best = [nondominated(draw, case.directions) for draw in draws]
    theta = np.array([free_disposal(draw, case.directions).theta for draw in draws])
    np.testing.assert_allclose(found.p_nondominated, np.mean(best, axis=0))
    np.testing.assert_allclose(found.efficiency, theta.mean(axis=0))
    np.testing.assert_allclose(found.efficiency_low, np.quantile(theta, 0.1, axis=0))
    np.testing.assert_allclose(found.efficiency_high, np.quantile(theta, 0.9, axis=0))


@given(cases())
def test_without_uncertainty_it_is_the_frontier(case: Case) -> None:
    found = random_frontier(np.stack([case.points] * 3), case.directions, 0.9)
    hull = free_disposal(case.points, case.directions)
    assert found.p_nondominated.tolist() == hull.nondominated.astype(float).tolist()
    for value in (found.efficiency, found.efficiency_low, found.efficiency_high):
        np.testing.assert_allclose(value, hull.theta)


def test_the_probability_is_the_known_one_for_two_normal_candidates() -> None:
    rng = np.random.default_rng(0)
    accuracy = np.array([0.80, 0.81]) + 0.01 * rng.standard_normal((20_000, 2))
    draws = np.stack([accuracy, np.broadcast_to([2.0, 1.0], accuracy.shape)], axis=2)
    # The slow one is on the frontier where it is more accurate: P(N(-0.01, 0.01 sqrt 2) > 0).
    assert random_frontier(draws, (1, -1), 0.9).p_nondominated == pytest.approx([0.2398, 1.0], abs=0.01)


def test_what_hits_all_candidates_alike_decides_nothing() -> None:
    shared = np.exp(np.random.default_rng(1).normal(0, 1, (500, 1, 1)))
    draws = shared * np.array([[1.0, 2.0], [1.1, 2.0]])
    assert random_frontier(draws, (1, -1), 0.9).p_nondominated.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("level", [0.0, 1.0, np.nan])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(InvalidError, match="level is"):
        random_frontier(np.ones((2, 2, 1)), (1,), level)


def test_a_wrong_draw_is_refused_by_objective_and_candidate() -> None:
    draws = np.ones((3, 2, 2))
    draws[2, 1, 0] = np.nan
    with pytest.raises(InvalidError, match="objective 1 is nan in row 2"):
        random_frontier(draws, (1, -1), 0.9)
