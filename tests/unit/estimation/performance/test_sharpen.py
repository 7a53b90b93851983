from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.ranking import Estimate
from sidecar.estimation.performance.sharpen import Shift, Timing, likeness, moved, shift

DEVIATIONS_90 = 1.6448536269514722


def estimate(value: float, deviation: float) -> Estimate:
    reach = math.exp(DEVIATIONS_90 * deviation)
    return Estimate(value, value / reach, value * reach)


def timing(predicted: Estimate, seen: float, *, spread: float = 0.0, alike: float = 1.0) -> Timing:
    """Runs whose logarithms have the deviation `spread`."""
    return Timing(predicted, seen, seen * math.exp(0.6744897501960817 * spread), alike)


def conditional(here: float, there: float, alike: float, error: float, seen: float) -> tuple[float, float]:
    """Mean and deviation of the first of two normals given the noisy second, by the matrix formula."""
    joint = np.array([[here**2, alike * here * there], [alike * here * there, there**2]])
    gain = joint[0, 1] / (joint[1, 1] + error**2)
    return gain * seen, math.sqrt(joint[0, 0] - gain * joint[0, 1])


@given(
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.floats(0, 1),
    st.floats(0.1, 1),
    st.floats(0.2, 5),
)
def test_is_the_conditional_normal(
    here: float, there: float, alike: float, error: float, ratio: float
) -> None:
    predicted, at_shadow = estimate(0.003, here), estimate(0.01, there)
    found = shift(predicted, timing(at_shadow, 0.01 * ratio, spread=error, alike=alike))
    mean, deviation = conditional(here, there, alike, error, math.log(ratio))
    assert math.log(found.factor) == pytest.approx(mean, abs=1e-9)
    assert found.narrowing * here == pytest.approx(deviation, abs=1e-9)


def test_a_timing_that_has_nothing_to_do_with_it_changes_nothing() -> None:
    found = shift(estimate(1, 0.5), timing(estimate(1, 0.5), 4.0, alike=0.0))
    assert found == Shift(1.0, 1.0)


def test_runs_that_agree_with_each_other_are_still_not_exact() -> None:
    found = shift(estimate(1, 0.5), timing(estimate(1, 0.5), 4.0))
    assert 3.5 < found.factor < 4.0
    assert 0.15 < found.narrowing < 0.25


def test_disturbed_runs_move_less() -> None:
    calm, disturbed = (shift(estimate(1, 0.3), timing(estimate(1, 0.3), 2.0, spread=s)) for s in (0.1, 1.0))
    assert 1 < disturbed.factor < calm.factor
    assert calm.narrowing < disturbed.narrowing < 1


def test_a_model_that_is_certain_is_not_moved() -> None:
    assert shift(Estimate(1, 1, 1), timing(Estimate(2, 2, 2), 3.0)) == Shift(1.0, 1.0)


def test_likeness_falls_with_the_distance_of_the_configurations() -> None:
    one = np.array([0.0, 0.5])
    assert likeness(one, one) == 1
    assert likeness(one, one + np.array([1, 0])) == pytest.approx(math.exp(-0.5))
    assert likeness(one, one + np.array([1, 1])) == pytest.approx(math.exp(-1))


@given(st.floats(0.1, 10), st.floats(0, 1), st.floats(0.01, 1))
def test_moving_scales_the_value_and_narrows_about_it(
    factor: float, narrowing: float, deviation: float
) -> None:
    found = moved(estimate(2.0, deviation), factor, narrowing)
    expected = estimate(2.0 * factor, deviation * narrowing)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert found.low <= found.value * (1 + 1e-12)
