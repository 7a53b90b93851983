from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs
from sidecar.estimation.performance.gaussian_process import GaussianProcess, spread
from tests.support.process_rows import OFFSET, REFERENCE, drawn, inputs, shifted, written_out


def by_formula(theta: Floats, rows: Inputs, values: Floats, asked: Inputs) -> tuple[Floats, Floats]:
    noise = np.exp(2 * theta[1])
    assert rows.source is not None
    assert asked.source is not None
    mean = np.array([shifted(theta, value) for value in rows.source])
    asked_mean = np.array([shifted(theta, value) for value in asked.source])
    covariance = written_out(theta, rows, rows) + (noise + 1e-6) * np.eye(len(rows))
    cross = written_out(theta, asked, rows)
    solved = np.linalg.solve(covariance, cross.T)
    own = np.diag(written_out(theta, asked, asked))
    return asked_mean + solved.T @ (values - mean), np.sqrt(own - (cross * solved.T).sum(axis=1) + noise)


@pytest.mark.parametrize("seed", range(4))
def test_predictions_are_those_of_the_formula(seed: int) -> None:
    rows, asked, theta = inputs(9, seed), inputs(5, seed + 100), drawn(seed)
    values = np.random.default_rng(seed).normal(size=9)
    process = GaussianProcess(rows, values, REFERENCE, theta, np.ones(1))
    mean, sd = process.predict(asked)
    expected_mean, expected_sd = by_formula(theta[0], rows, values, asked)
    assert mean == pytest.approx(expected_mean, rel=1e-6)
    assert sd == pytest.approx(expected_sd, rel=1e-6)


def test_without_linear_terms_it_is_the_process_of_scikit_learn() -> None:
    rows, asked = inputs(12, 0, source=False), inputs(4, 1, source=False)
    rows, asked = (
        Inputs(part.features, np.arange(4), np.empty((len(part), 0)), None, faulty=False)
        for part in (rows, asked)
    )
    values = np.random.default_rng(0).normal(size=12)
    scales = np.array([0.3, 0.5, 0.8, 1.2])
    theta = np.array([[np.log(0.7), np.log(0.1), 0.0, 0.0, -50.0, *np.log(scales)]])
    kernel = ConstantKernel(0.49, "fixed") * RBF(scales, "fixed") + ConstantKernel(OFFSET, "fixed")
    other = GaussianProcessRegressor(kernel, alpha=0.01 + 1e-6, optimizer=None)
    other.fit(rows.features, values - values.mean())
    mean, sd = other.predict(asked.features, return_std=True)
    found = GaussianProcess(rows, values, REFERENCE, theta, np.ones(1)).predict(asked)
    assert found[0] == pytest.approx(mean + values.mean(), rel=1e-6)
    assert found[1] == pytest.approx(np.sqrt(sd**2 + 0.01), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_held_out_predictions_are_those_of_a_process_that_lacks_the_row(seed: int) -> None:
    rows, theta = inputs(8, seed), drawn(seed)
    values = np.random.default_rng(seed).normal(size=8)
    mean, sd = GaussianProcess(rows, values, REFERENCE, theta, np.ones(1)).held_out()
    for row in range(8):
        kept = np.delete(np.arange(8), row)
        less = GaussianProcess(rows.rows(kept), values[kept], REFERENCE, theta, np.ones(1))
        expected_mean, expected_sd = less.predict(rows.rows(np.array([row])))
        assert mean[row] == pytest.approx(expected_mean[0], abs=1e-5)
        # A row that is left out has its jitter left out as well.
        assert sd[row] == pytest.approx(expected_sd[0], rel=1e-3)


def test_a_mixture_has_the_moments_of_its_parts() -> None:
    rows, asked, thetas = inputs(6, 5), inputs(3, 6), drawn(5, draws=2)
    values = np.random.default_rng(5).normal(size=6)
    weights = np.array([0.3, 0.7])
    mean, sd = GaussianProcess(rows, values, REFERENCE, thetas, weights).predict(asked)
    parts = [
        GaussianProcess(rows, values, REFERENCE, theta[None], np.ones(1)).predict(asked) for theta in thetas
    ]
    expected = sum(weight * part[0] for weight, part in zip(weights, parts, strict=True))
    square = sum(weight * (part[0] ** 2 + part[1] ** 2) for weight, part in zip(weights, parts, strict=True))
    assert mean == pytest.approx(expected)
    assert sd == pytest.approx(np.sqrt(square - expected**2))


def test_rows_beyond_those_that_are_kept_count_as_held_out() -> None:
    rows, theta = inputs(600, 0), drawn(0)
    values = np.random.default_rng(0).normal(size=600)
    process = GaussianProcess(rows, values, REFERENCE, theta, np.ones(1))
    beyond = np.setdiff1d(np.arange(600), process.rows)
    assert len(beyond) == 600 - 384
    held_out, predicted = process.held_out()[0], process.predict(rows)[0]
    assert (held_out[beyond] == predicted[beyond]).all()
    assert (held_out[process.rows] != predicted[process.rows]).all()


def test_hyperparameters_of_other_inputs_are_refused() -> None:
    rows = inputs(4, 0)
    for draws, weights, message in (
        (np.zeros((1, 7)), np.ones(1), "but 3 options need"),
        (np.zeros((0, 8)), np.ones(0), "but 3 options need"),
        (np.zeros((2, 8)), np.ones(2), "do not sum to 1"),
    ):
        with pytest.raises(InvalidError, match=message):
            GaussianProcess(rows, np.zeros(4), REFERENCE, draws, weights)


@given(count=st.integers(1, 3000), most=st.integers(1, 600))
def test_spread_rows_are_different_and_in_no_step_with_the_order(count: int, most: int) -> None:
    chosen = spread(count, most)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, most)
    # A period of 4, as a table that lists an innermost option of four values has.
    if most >= 200 and count > most:
        assert np.bincount(chosen % 4, minlength=4).min() > 0.2 * most
