from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.estimation.frontier.chance import chance_efficiency
from sidecar.estimation.frontier.free_disposal import free_disposal
from tests.support.frontier_cases import Case, cases


@given(cases(), st.floats(0, 0.5))
def test_at_even_chances_only_the_means_count(case: Case, share: float) -> None:
    found = chance_efficiency(case.points, share * case.points, case.directions, 0.5)
    np.testing.assert_allclose(found, free_disposal(case.points, case.directions).theta, rtol=1e-12)


@given(cases(), st.floats(0, 0.5), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_the_surer_it_has_to_be_the_more_are_efficient(
    case: Case, share: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    less = chance_efficiency(case.points, share * case.points, case.directions, low)
    more = chance_efficiency(case.points, share * case.points, case.directions, high)
    assert (less <= more + 1e-12).all()
    assert (more <= 1).all()


@pytest.mark.parametrize("directions", [(-1,), (1,)])
def test_the_share_suffices_with_just_the_probability(directions: tuple[int, ...]) -> None:
    means, deviations = np.array([[10.0], [5.0]]), np.array([[0.8], [0.3]])
    worse = 0 if directions == (-1,) else 1
    theta = chance_efficiency(means, deviations, directions, 0.9)[worse]
    dear, cheap = np.random.default_rng(0).normal(means, deviations, (2, 200_000))
    assert theta < 1
    assert (theta * dear >= cheap).mean() == pytest.approx(0.9, abs=0.005)


def test_a_good_must_be_reached_with_the_probability_too() -> None:
    means = np.array([[0.80, 10.0], [0.82, 5.0]])
    deviations = np.array([[0.01, 0.0], [0.01, 0.0]])
    # P(N(0.02, 0.01 sqrt 2) > 0) = 0.921
    assert chance_efficiency(means, deviations, (1, -1), 0.92)[0] == pytest.approx(0.5)
    assert chance_efficiency(means, deviations, (1, -1), 0.93)[0] == 1.0


def test_nobody_can_be_sure_against_a_cost_that_may_be_nothing() -> None:
    means, deviations = np.array([[10.0], [1.0]]), np.array([[9.0], [0.0]])
    assert chance_efficiency(means, deviations, (-1,), 0.9).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("deviations", "probability", "message"),
    [
        ([[1.0], [-1.0]], 0.9, "objective 1 is -1 in row 2"),
        ([[1.0]], 0.9, "one for each mean"),
        ([[1.0], [1.0]], 0.4, "probability is 0.4"),
        ([[1.0], [1.0]], 1.0, "probability is 1.0"),
    ],
)
def test_wrong_arguments_are_refused(deviations: list[list[float]], probability: float, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        chance_efficiency(np.ones((2, 1)), np.array(deviations), (-1,), probability)
