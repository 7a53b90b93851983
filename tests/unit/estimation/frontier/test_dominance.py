from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier import dominance
from sidecar.estimation.frontier.dominance import nondominated, pareto_ranks
from tests.support.frontier_cases import Case, cases, dominates, sphere


def brute_force(case: Case) -> list[bool]:
    return [not any(dominates(other, one, case.directions) for other in case.points) for one in case.points]


@given(cases(most=40))
def test_nondominated_is_the_plain_definition(case: Case) -> None:
    assert nondominated(case.points, case.directions).tolist() == brute_force(case)


@given(cases(most=60), st.integers(1, 40), st.integers(1, 4))
def test_dividing_changes_nothing(case: Case, pairs: int, points: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dominance, "_PAIRS", pairs)
        patch.setattr(dominance, "_POINTS", points)
        found = nondominated(case.points, case.directions).tolist()
        layers = pareto_ranks(case.points, case.directions).tolist()
    assert found == brute_force(case)
    assert layers == pareto_ranks(case.points, case.directions).tolist()


@pytest.mark.parametrize("objectives", [2, 3, 4, 6])
def test_many_points_in_every_dimension(objectives: int) -> None:
    on_sphere = sphere(1500, objectives)
    # Every point of the sphere has one just inside it, which it dominates.
    points = np.concatenate([0.999 * on_sphere, on_sphere])
    assert nondominated(points, [1] * objectives).tolist() == [False] * 1500 + [True] * 1500
    ties = np.round(np.random.default_rng(1).random((600, objectives)) * 5)
    case = Case(ties, (1,) * objectives)
    assert nondominated(ties, case.directions).tolist() == brute_force(case)


@given(cases())
def test_ranks_are_what_peeling_off_frontiers_gives(case: Case) -> None:
    left = np.arange(len(case.points))
    wanted = np.zeros(len(left), dtype=int)
    layer = 0
    while len(left):
        layer += 1
        best = nondominated(case.points[left], case.directions)
        wanted[left[best]] = layer
        left = left[~best]
    assert pareto_ranks(case.points, case.directions).tolist() == wanted.tolist()


@given(cases(), st.integers(0, 2**32 - 1))
def test_neither_order_nor_unit_matters(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(case.points))
    units = 2.0 ** rng.integers(-20, 20, len(case.directions))
    found = nondominated(case.points, case.directions)
    assert nondominated((case.points * units)[order], case.directions).tolist() == found[order].tolist()


def test_extreme_values_do_not_overflow() -> None:
    points = np.repeat([[1.7e308, -1.7e308], [-1.7e308, 1.7e308], [-1.7e308, -1.7e308]], 200, axis=0)
    assert nondominated(points, (1, 1)).tolist() == [True] * 400 + [False] * 200


def test_equal_points_are_on_the_frontier_together() -> None:
    assert nondominated(np.ones((500, 3)), (1, -1, 1)).all()
    assert pareto_ranks(np.ones((500, 3)), (1, -1, 1)).tolist() == [1] * 500


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_objective_and_row(wrong: float) -> None:
    points = np.ones((3, 2))
    points[2, 1] = wrong
    for kernel in (nondominated, pareto_ranks):
        with pytest.raises(InvalidError, match=r"objective 2 is (nan|inf|-inf) in row 3: leave"):
            kernel(points, (1, 1))


@pytest.mark.parametrize("directions", [(1,), (1, 0), (1, 1, 1)])
def test_every_objective_needs_a_direction(directions: tuple[int, ...]) -> None:
    with pytest.raises(InvalidError, match="directions are"):
        nondominated(np.ones((3, 2)), directions)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (2,)])
def test_no_candidates_and_no_objectives_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidError, match="at least"):
        nondominated(np.ones(shape), (1,) * shape[-1])
