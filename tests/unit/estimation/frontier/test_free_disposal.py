from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier import free_disposal as room
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.estimation.frontier.free_disposal import free_disposal, order_m
from tests.support.frontier_cases import Case, cases


def shares(case: Case, row: int) -> list[float]:
    """With which shares of its costs others stand in for a row, by the plain definition."""
    goods = [place for place, direction in enumerate(case.directions) if direction > 0]
    costs = [place for place, direction in enumerate(case.directions) if direction < 0]
    own = case.points[row]
    if not costs:
        return [max(own[good] / other[good] for good in goods) for other in case.points]
    return [
        max(other[cost] / own[cost] for cost in costs)
        for other in case.points
        if all(other[good] >= own[good] for good in goods)
    ]


@given(cases())
def test_theta_is_the_least_share_with_which_anybody_stands_in(case: Case) -> None:
    wanted = [min(shares(case, row)) for row in range(len(case.points))]
    np.testing.assert_allclose(free_disposal(case.points, case.directions).theta, wanted, rtol=0, atol=1e-9)


@given(cases(most=40), st.integers(1, 50))
def test_the_peer_shows_theta_and_blocks_change_nothing(case: Case, pairs: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_PAIRS", pairs)
        found = free_disposal(case.points, case.directions)
    assert found.theta.tolist() == free_disposal(case.points, case.directions).theta.tolist()
    assert found.nondominated.tolist() == nondominated(case.points, case.directions).tolist()
    assert found.nondominated[found.peer].all()
    alone = [
        shares(Case(case.points[[peer, row]], case.directions), 1) for row, peer in enumerate(found.peer)
    ]
    np.testing.assert_allclose([min(one) for one in alone], found.theta, rtol=1e-12)


@given(cases(), st.integers(0, 2**32 - 1))
def test_theta_is_a_ratio_whatever_the_units_and_the_frontier_has_one(case: Case, seed: int) -> None:
    found = free_disposal(case.points, case.directions)
    assert ((found.theta > 0) & (found.theta <= 1)).all()
    assert (found.theta[found.nondominated] == 1).all()
    units = np.exp(np.random.default_rng(seed).normal(0, 5, len(case.directions)))
    np.testing.assert_allclose(free_disposal(case.points * units, case.directions).theta, found.theta)


def test_with_one_cost_it_is_what_the_cheapest_that_gives_as_much_costs() -> None:
    points = np.array([[0.8, 10.0], [0.8, 4.0], [0.9, 8.0], [0.7, 5.0]])
    found = free_disposal(points, (1, -1))
    assert found.theta.tolist() == [0.4, 1.0, 1.0, 0.8]
    assert found.peer.tolist() == [1, 1, 2, 1]


def test_without_costs_another_gives_so_much_more_of_everything() -> None:
    points = np.array([[0.4, 20.0], [0.8, 40.0], [0.9, 10.0]])
    found = free_disposal(points, (1, 1))
    assert found.theta.tolist() == [0.5, 1.0, 1.0]
    assert found.peer[0] == 1


def test_without_goods_all_may_stand_in() -> None:
    assert free_disposal(np.array([[4.0, 4.0], [1.0, 2.0]]), (-1, -1)).theta.tolist() == [0.5, 1.0]


def test_goods_may_be_below_0_where_there_are_costs() -> None:
    points = np.array([[-2.0, 10.0], [-1.0, 5.0]])
    assert free_disposal(points, (1, -1)).theta.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(("directions", "objective"), [((1, -1), 2), ((1, 1), 1)])
def test_ratios_of_what_is_not_above_0_are_refused(directions: tuple[int, ...], objective: int) -> None:
    with pytest.raises(InvalidError, match=rf"objective {objective} is 0 in row 2: .* above 0"):
        free_disposal(np.array([[1.0, 1.0], [0.0, 0.0]]), directions)


@given(cases(most=8), st.integers(1, 4))
def test_order_m_is_the_mean_over_all_ways_to_draw_m(case: Case, m: int) -> None:
    expected = order_m(case.points, case.directions, m)
    for row, value in enumerate(expected):
        grid = np.stack(np.meshgrid(*[shares(case, row)] * m)).reshape(m, -1)
        assert value == pytest.approx(grid.min(axis=0).mean(), rel=1e-9)


@given(cases())
def test_order_m_falls_to_the_full_frontier_as_m_grows(case: Case) -> None:
    steps = np.stack([order_m(case.points, case.directions, m) for m in (1, 5, 50, 10**6)])
    assert (np.diff(steps, axis=0) <= 1e-12 * steps[:-1]).all()
    np.testing.assert_allclose(steps[-1], free_disposal(case.points, case.directions).theta)


def test_an_outlier_moves_order_m_less() -> None:
    crowd = np.column_stack([np.full(50, 1.0), np.linspace(1.0, 1.2, 50)])
    outlier = np.vstack([crowd, [[1.0, 0.1]]])
    assert free_disposal(outlier, (1, -1)).theta[:50].max() <= 0.1
    assert order_m(outlier, (1, -1), 5)[:50].min() > 0.7


def test_order_0_is_refused() -> None:
    with pytest.raises(InvalidError, match="m is 0"):
        order_m(np.ones((2, 2)), (1, -1), 0)
