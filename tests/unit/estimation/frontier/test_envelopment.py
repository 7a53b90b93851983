from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import OptimizeResult, linprog

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.frontier.envelopment import Envelopment, envelopment
from sidecar.estimation.frontier.free_disposal import free_disposal
from tests.support.frontier_cases import Case, cases, sphere

Scale = Literal["ccr", "bcc"]
SCALES: tuple[Scale, ...] = ("ccr", "bcc")


def parts(case: Case) -> tuple[Floats, Floats]:
    """Goods and costs, a constant 1 for a missing side."""
    up = np.array(case.directions) > 0
    one = np.ones((len(case.points), 1))
    return case.points[:, up] if up.any() else one, case.points[:, ~up] if not up.all() else one


def by_prices(case: Case, scale: Scale, rows: slice = slice(None)) -> list[float]:
    """The dual program: the prices under which the candidate looks best and no candidate makes a profit."""
    goods, costs = parts(case)
    count, sizes = len(goods), (goods.shape[1], costs.shape[1])
    # Without a cost BCC's sum would leave nothing to save: what grows are the goods.
    convex = scale == "bcc" and -1 in case.directions
    thetas = []
    for good, cost in zip(goods[rows], costs[rows], strict=True):
        solved = linprog(
            np.concatenate([-good, np.zeros(sizes[1]), [-1.0]]),
            A_ub=np.column_stack([goods, -costs, np.ones(count)]),
            b_ub=np.zeros(count),
            A_eq=np.concatenate([np.zeros(sizes[0]), cost, [0.0]])[None],
            b_eq=[1.0],
            bounds=[(0, None)] * sum(sizes) + [(None, None) if convex else (0, 0)],
            method="highs-ds",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        thetas.append(-float(solved.fun))
    return thetas


def certified(case: Case, found: Envelopment, tolerance: float = 1e-9) -> bool:
    """Whether each mixture gives as much as its candidate and costs theta of it."""
    goods, costs = parts(case)
    up_only = -1 not in case.directions
    for row, (theta, peers, weights) in enumerate(zip(found.theta, found.peers, found.weights, strict=True)):
        scale = theta if up_only else 1.0
        gives, takes = scale * weights @ goods[peers], scale * weights @ costs[peers]
        if (gives < goods[row] * (1 - tolerance)).any() or (
            takes > theta * costs[row] * (1 + tolerance)
        ).any():
            return False
    return True


@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=60)
@given(case=cases())
def test_theta_is_what_the_best_prices_give(scale: Scale, case: Case) -> None:
    found = envelopment(case.points, case.directions, scale)
    np.testing.assert_allclose(found.theta, by_prices(case, scale), rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
@given(case=cases(most=30))
def test_the_mixture_shows_theta(scale: Scale, case: Case) -> None:
    found = envelopment(case.points, case.directions, scale)
    assert ((found.theta > 0) & (found.theta <= 1)).all()
    assert (found.weights >= 0).all()
    assert (np.diff(found.weights, axis=1) <= 0).all()
    if scale == "bcc" or -1 not in case.directions:
        np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    assert certified(case, found)


@given(cases())
def test_more_freedom_to_mix_finds_more_to_save(case: Case) -> None:
    free = free_disposal(case.points, case.directions).theta
    convex = envelopment(case.points, case.directions, "bcc").theta
    scaled = envelopment(case.points, case.directions, "ccr").theta
    assert (convex <= free + 1e-9).all()
    assert (scaled <= convex + 1e-9).all()


def test_a_split_of_the_traffic_beats_a_candidate_that_nobody_beats_alone() -> None:
    points = np.array([[0.9, 10.0], [0.6, 1.0], [0.78, 8.0]])
    assert free_disposal(points, (1, -1)).theta.tolist() == [1.0, 1.0, 1.0]
    found = envelopment(points, (1, -1), "bcc")
    # 60 % of the first and 40 % of the second: as accurate, at 6.4 instead of 8.
    assert found.theta[2] == pytest.approx(0.8)
    assert found.peers[2, :2].tolist() == [0, 1]
    assert found.weights[2] == pytest.approx([0.6, 0.4])


def test_a_missing_side_is_a_constant_1() -> None:
    points = np.array([[1.0, 4.0], [4.0, 1.0], [2.0, 2.0]])
    # Half and half gives 2.5 of both: 2 is 80 % of it, and costs 2.5 of what 2 costs.
    assert envelopment(points, (1, 1), "bcc").theta == pytest.approx([1.0, 1.0, 0.8])
    assert envelopment(points[:, :1], (1,), "ccr").theta == pytest.approx([0.25, 1.0, 0.5])
    assert envelopment(points[:, :1], (-1,), "ccr").theta == pytest.approx([1.0, 0.25, 0.5])
    dear = np.array([[1.0, 4.0], [4.0, 1.0], [3.0, 3.0]])
    assert envelopment(dear, (-1, -1), "ccr").theta[2] == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("scale", SCALES)
def test_a_thousand_candidates_on_a_round_frontier_end(scale: Scale) -> None:
    # Nobody dominates, but many constraints meet at most of them, where steps may go round in circles.
    points = sphere(1000, 4)
    points[:, 2:] = 1.1 - points[:, 2:]
    case = Case(points, (1, 1, -1, -1))
    found = envelopment(points, case.directions, scale)
    assert certified(case, found)
    some = slice(0, 1000, 200)
    np.testing.assert_allclose(found.theta[some], by_prices(case, scale, some), rtol=0, atol=1e-9)


def test_values_that_cannot_be_scaled_are_refused() -> None:
    points = np.array([[0.0, 1.0], [1.0, 2.0]])
    with pytest.raises(InvalidError, match="objective 1 is 0 in row 1: CCR"):
        envelopment(points, (1, -1), "ccr")
    assert envelopment(points, (1, -1), "bcc").theta == pytest.approx([1.0, 1.0])
    with pytest.raises(InvalidError, match="objective 2 is -1 in row 1"):
        envelopment(np.array([[1.0, -1.0]]), (1, -1), "bcc")


def test_values_that_hide_the_answer_in_rounding_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidError, match=r"objective 2 is 1e\+11 in row 1: .* too much"):
        envelopment(np.array([[1.0, 1e11], [2.0, 1.0]]), (1, -1), "bcc")
    unsolved = OptimizeResult(x=None, message="no answer")
    monkeypatch.setattr("sidecar.estimation.frontier.envelopment.linprog", lambda *_, **__: unsolved)
    with pytest.raises(InvalidError, match=r"rounding hides the mixture that beats row 1 \(no answer\)"):
        envelopment(np.array([[0.9, 10.0], [0.6, 1.0], [0.78, 8.0]]), (1, -1), "bcc")
