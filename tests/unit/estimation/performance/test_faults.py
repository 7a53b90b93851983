from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from sidecar.estimation.performance.faults import log_density, sound

ERRORS = np.array([0.0, 0.05, -0.3, 2.0])
SD = np.array([0.02, 0.1, 0.05, 1.0])
WIDE = np.sqrt(SD**2 + np.log(10) ** 2)


def test_the_density_is_a_mixture_of_two_normal_ones() -> None:
    expected = np.log(0.999 * norm(0, SD).pdf(ERRORS) + 0.001 * norm(0, WIDE).pdf(ERRORS))
    assert log_density(ERRORS, SD**2) == pytest.approx(expected + np.log(2 * np.pi) / 2)


def test_soundness_is_by_the_theorem_of_bayes() -> None:
    usual, fault = 0.999 * norm(0, SD).pdf(ERRORS), 0.001 * norm(0, WIDE).pdf(ERRORS)
    assert sound(ERRORS, SD**2) == pytest.approx(usual / (usual + fault))


@given(sd=st.floats(1e-3, 3), error=st.floats(0, 1e3))
def test_the_further_off_the_less_sound(sd: float, error: float) -> None:
    near, far = sound(np.array([error, error + 0.1]), np.full(2, sd**2))
    assert 0 <= far <= near <= 1
