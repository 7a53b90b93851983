from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.descent import descend


def bowl(seed: int) -> tuple[Floats, Floats]:
    """A curvature, shape [4, 4], and the lowest place."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    return root @ root.T + np.eye(4), rng.normal(size=4)


@given(seed=st.integers(0, 50))
def test_a_bowl_is_descended_to_its_lowest_place_and_its_curvature_found(seed: int) -> None:
    curvature, lowest = bowl(seed)

    def function(place: Floats) -> tuple[float, Floats]:
        apart = place - lowest
        return 0.5 * float(apart @ curvature @ apart), curvature @ apart

    place, inverse = descend(function, np.zeros(4))
    # Descent ends where less than 1e-4 can be gained.
    assert function(place)[0] < 1e-4
    assert (np.linalg.eigvalsh(inverse) > 0).all()
    found = np.linalg.eigvalsh(inverse)[-1] / np.linalg.eigvalsh(np.linalg.inv(curvature))[-1]
    assert 0.5 < found < 2


def test_a_winding_valley_leads_where_scipy_says() -> None:
    def function(place: Floats) -> tuple[float, Floats]:
        first, second = place
        bend = second - first**2
        value = 0.5 * (first - 1.5) ** 2 + 2 * bend**2
        return float(value), np.array([first - 1.5 - 8 * bend * first, 4 * bend])

    found, _ = descend(function, np.array([-1.0, 1.0]))
    expected = minimize(lambda place: function(place)[0], [-1.0, 1.0]).x
    assert found == pytest.approx(expected, abs=0.05)
    assert function(found)[0] < 1e-3


def test_where_nothing_can_be_gained_it_stays() -> None:
    place, inverse = descend(lambda place: (0.0, np.zeros(len(place))), np.ones(3))
    assert (place == 1).all()
    assert (inverse == np.eye(3)).all()
