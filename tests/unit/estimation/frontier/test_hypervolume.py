from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.estimation.frontier.hypervolume import contributions, hypervolume
from tests.support.frontier_cases import Case, cases, sphere


def by_cells(case: Case, reference: list[float]) -> float:
    """Sums the cells of the grid that all coordinates make, where some point dominates the cell."""
    above = np.maximum((case.points - reference) * np.array(case.directions), 0.0)
    axes = [np.unique(np.append(column, 0.0)) for column in above.T]
    total = 0.0
    for cell in itertools.product(*[range(len(axis) - 1) for axis in axes]):
        top = np.array([axis[place + 1] for axis, place in zip(axes, cell, strict=True)])
        if (above >= top).all(axis=1).any():
            total += float(
                np.prod([axis[place + 1] - axis[place] for axis, place in zip(axes, cell, strict=True)])
            )
    return total


@settings(max_examples=60)
@given(cases(most=6, objectives=4), st.integers(0, 4))
def test_it_is_the_sum_of_the_cells_that_some_point_dominates(case: Case, level: int) -> None:
    reference = [float(level)] * len(case.directions)
    found = hypervolume(case.points, case.directions, np.array(reference))
    assert found == pytest.approx(by_cells(case, reference), rel=1e-9, abs=1e-12)


@settings(max_examples=60)
@given(cases(most=8, objectives=5))
def test_a_contribution_is_what_is_lost_without_the_candidate(case: Case) -> None:
    up = np.array(case.directions) > 0
    reference = np.where(up, 0.5 * case.points.min(axis=0), 2 * case.points.max(axis=0))
    whole = hypervolume(case.points, case.directions, reference)
    found = contributions(case.points, case.directions, reference)
    assert (found >= 0).all()
    assert (found[~nondominated(case.points, case.directions)] == 0).all()
    for row, value in enumerate(found):
        others = np.delete(case.points, row, axis=0)
        without = hypervolume(others, case.directions, reference) if len(others) else 0.0
        assert value == pytest.approx(whole - without, rel=1e-9, abs=1e-9 * whole)


@given(cases(most=8, objectives=4), st.integers(0, 2**32 - 1))
def test_order_of_objectives_and_candidates_does_not_matter(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(case.points)), rng.permutation(len(case.directions))
    reference = np.ones(len(columns))
    mixed = case.points[rows][:, columns], tuple(np.array(case.directions)[columns].tolist()), reference
    assert hypervolume(*mixed) == pytest.approx(hypervolume(case.points, case.directions, reference))


def test_what_does_not_beat_the_reference_adds_nothing() -> None:
    points = np.array([[2.0, 1.0], [3.0, 5.0]])
    assert hypervolume(points, (1, -1), np.array([1.0, 4.0])) == pytest.approx(3.0)
    assert hypervolume(points, (1, -1), np.array([5.0, 0.5])) == 0.0


def test_a_set_that_would_take_hours_is_refused() -> None:
    with pytest.raises(InvalidError, match="60 nondominated candidates in 6 objectives"):
        hypervolume(sphere(60, 6), (1,) * 6, np.zeros(6))
    with pytest.raises(InvalidError, match="objective 1 is nan"):
        hypervolume(sphere(3, 2), (1, 1), np.array([np.nan, 0.0]))
