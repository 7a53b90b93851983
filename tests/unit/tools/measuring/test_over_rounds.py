from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sidecar.tools.measuring.statistics import LEAST_ROUNDS, LEVEL, over_rounds, quietest

positive = st.floats(1e-9, 1e9)
rounds = st.lists(positive, min_size=LEAST_ROUNDS, max_size=40)


def test_least_rounds_are_the_fewest_whose_range_covers_the_median() -> None:
    def range_covers(count: int) -> float:
        return 1 - 2 * 0.5**count

    assert range_covers(LEAST_ROUNDS) >= LEVEL > range_covers(LEAST_ROUNDS - 1)


@pytest.mark.parametrize("count", range(LEAST_ROUNDS, 60))
def test_without_drift_the_ends_are_the_ranks_that_the_binomial_names(count: int) -> None:
    # Symmetric about the middle, so that both halves have one median.
    values = np.exp(np.abs(np.arange(count) - (count - 1) / 2)).astype(np.float64)
    found = over_rounds(values)

    rank = max(k for k in range(1, count // 2 + 1) if 1 - 2 * binom.cdf(k - 1, count, 0.5) >= LEVEL)
    ordered = np.sort(values)
    assert found.low == pytest.approx(ordered[rank - 1])
    assert found.high == pytest.approx(ordered[count - rank])


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = np.exp(rng.normal(size=(4000, 9)))
    covered = [found.low <= 1 <= found.high for found in map(over_rounds, draws)]
    assert np.mean(covered) >= LEVEL


def test_two_measurements_of_a_drifting_machine_meet() -> None:
    slower = np.cumprod(np.full(10, 1.02))
    first, second = over_rounds(slower[:5]), over_rounds(slower[5:])
    assert first.high >= second.low


@given(rounds)
def test_the_value_lies_in_its_interval_and_between_the_rounds(values: list[float]) -> None:
    found = over_rounds(np.array(values))
    slack = 1 + 1e-9
    assert found.low <= found.value * slack
    assert found.value <= found.high * slack
    assert min(values) <= found.value * slack
    assert found.value <= max(values) * slack
    assert all(math.isfinite(one) and one > 0 for one in (found.low, found.high))


@given(rounds, st.floats(1e-3, 1e3))
def test_another_unit_scales_value_and_interval(values: list[float], unit: float) -> None:
    found, scaled = over_rounds(np.array(values)), over_rounds(np.array(values) * unit)
    for one, other in zip(
        (found.value, found.low, found.high), (scaled.value, scaled.low, scaled.high), strict=True
    ):
        assert other == pytest.approx(one * unit, rel=1e-6)


def test_one_outlier_does_not_move_the_value() -> None:
    calm = np.array([1.0, 1.01, 0.99, 1.0, 1.0])
    disturbed = np.array([1.0, 1.01, 90.0, 1.0, 1.0])
    assert over_rounds(disturbed).value == pytest.approx(over_rounds(calm).value, rel=0.02)


def test_an_instrument_that_is_coarser_than_the_rounds_differ_sets_the_interval() -> None:
    found = over_rounds(np.full(5, 100.0), resolution=3.0)
    assert (found.low, found.value, found.high) == pytest.approx((97, 100, 103))
    assert over_rounds(np.full(5, 100.0), resolution=300.0).low > 0


def test_the_quietest_rounds_stay_in_their_order_and_ties_go_to_the_earlier() -> None:
    assert quietest(np.array([0.5, 0.0, 1.0, 0.2, 0.0]), 3) == [1, 3, 4]
    assert quietest(np.array([0.0, 0.0, 0.0]), 2) == [0, 1]
