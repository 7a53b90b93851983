from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier.knee import knee
from tests.support.frontier_cases import Case, cases


def test_the_knee_lies_farthest_from_the_line_between_the_ends() -> None:
    accuracy = np.array([0.60, 0.85, 0.89, 0.90, 0.70])
    latency = np.array([1.0, 2.0, 6.0, 20.0, 15.0])
    points = np.column_stack([accuracy, latency])
    assert knee(points, (1, -1)) == 1
    ends = points[[0, 3]] * [1, -1]
    unit = np.ptp(ends, axis=0)
    along = np.diff(ends, axis=0)[0] / unit
    away = (points[:4] * [1, -1] - ends[0]) / unit
    assert np.abs(away[:, 0] * along[1] - away[:, 1] * along[0]).argmax() == 1


@pytest.mark.parametrize(
    "points",
    [
        [[1.0, 1.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        [[0.0, 3.0], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]],
        [[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]],
    ],
)
def test_a_point_alone_a_straight_line_and_a_dent_have_no_knee(points: list[list[float]]) -> None:
    assert knee(np.array(points), (1, 1)) is None


@given(cases(), st.integers(0, 2**32 - 1))
def test_units_do_not_matter(case: Case, seed: int) -> None:
    units = 2.0 ** np.random.default_rng(seed).integers(-9, 9, len(case.directions))
    assert knee(case.points * units, case.directions) == knee(case.points, case.directions)


def test_what_is_not_finite_has_no_knee_but_an_error() -> None:
    with pytest.raises(InvalidError, match="row 2"):
        knee(np.array([[1.0, 1.0], [np.nan, 0.0]]), (1, 1))
