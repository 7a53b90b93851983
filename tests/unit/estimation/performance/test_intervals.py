from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.intervals import half_width, student_quantile
from tests.support.performance_system import SPACE, elsewhere, measured, target_cost


@given(freedom=st.integers(3, 500))
def test_the_quantile_is_that_of_student(freedom: int) -> None:
    assert student_quantile(freedom) == pytest.approx(t(freedom).ppf(0.95), rel=0.01)


def test_many_errors_of_their_announced_size_give_the_normal_width() -> None:
    errors = norm.ppf((np.arange(5000) + 0.5) / 5000)
    assert half_width(errors, np.zeros(5000), np.ones(5000)) == pytest.approx(norm.ppf(0.95), rel=1e-2)


def test_errors_twice_as_large_as_announced_double_the_width() -> None:
    errors = 0.2 * norm.ppf((np.arange(500) + 0.5) / 500)
    found = half_width(errors, np.zeros(500), np.full(500, 0.1))
    assert found == pytest.approx(2 * norm.ppf(0.95), rel=2e-2)


def test_a_fault_of_measuring_widens_nothing() -> None:
    errors = 0.1 * norm.ppf((np.arange(50) + 0.5) / 50)
    with_fault = np.append(errors, 2.0)
    found = half_width(with_fault, np.zeros(51), np.full(51, 0.1))
    assert found == pytest.approx(half_width(errors, np.zeros(50), np.full(50, 0.1)), rel=1e-2)


def test_no_measurements_give_a_wide_interval() -> None:
    nothing = np.empty(0)
    assert half_width(nothing, nothing, nothing) > 1.5 * norm.ppf(0.95)


def test_nine_of_ten_measurements_to_come_lie_in_the_interval() -> None:
    asked = SPACE.every()
    covered = []
    for seed in range(8):
        model = fit([elsewhere()], measured(SPACE, "here", target_cost, 20, seed), "latency_s")
        found = model.predict(asked)
        noise = np.random.default_rng(seed).normal(0, 0.02, len(asked))
        truth = np.exp(target_cost(asked) + noise)
        covered.append(np.mean((found.low < truth) & (truth < found.high)))
    assert 0.85 <= np.mean(covered) <= 0.97
