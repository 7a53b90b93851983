from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance import gaussian_process as gp
from sidecar.estimation.performance.source import prior

REFERENCE = gp.Reference(0.5, 1.5)
OPTIONS = 3
OFFSET = np.log(10.0) ** 2


def inputs(rows: int, seed: int, *, source: bool = True, faulty: bool = False) -> gp.Inputs:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.5, 3.0, rows) if source else None
    return gp.Inputs(
        rng.random((rows, 4)), np.array([0, 1, 1, 2]), rng.normal(size=(rows, 2)), values, faulty
    )


def drawn(seed: int, draws: int = 1) -> Floats:
    before = prior(OPTIONS)
    return before.mean + 0.3 * np.random.default_rng(seed).normal(size=(draws, len(before.mean)))


def written_out(theta: Floats, one: gp.Inputs, other: gp.Inputs) -> Floats:
    """The covariance term by term, pair by pair."""
    amplitude, noise, slope = np.exp(2 * theta[:3])
    share, scales = 1 / (1 + np.exp(-theta[4])), np.exp(theta[5:])
    del noise
    weights = (1 / scales) / (1 / scales).sum()
    found = np.empty((len(one), len(other)))
    for i in range(len(one)):
        for j in range(len(other)):
            product, linear = 1.0, 0.0
            for option in range(OPTIONS):
                x = one.features[i, one.groups == option] - 0.5
                y = other.features[j, other.groups == option] - 0.5
                product *= np.exp(-0.5 * ((x - y) ** 2).sum() / scales[option] ** 2)
                linear += weights[option] * (x @ y)
            found[i, j] = OFFSET + amplitude * ((1 - share) * product + share * linear)
            found[i, j] += slope * (one.terms[i] @ other.terms[j])
            if one.source is not None and other.source is not None:
                found[i, j] += slope * (centred(theta, one.source[i]) * centred(theta, other.source[j]))
    return found


def shifted(theta: Floats, source: float) -> float:
    move = float(np.tanh(theta[3]))
    if move < 0:
        return float(np.log(source + 0.98 * move * REFERENCE.least))
    return float(np.log(source + REFERENCE.mean * move / (1 - move)))


def centred(theta: Floats, source: float) -> float:
    return shifted(theta, source) - float(np.log(REFERENCE.mean))


def by_formula(theta: Floats, rows: gp.Inputs, values: Floats, asked: gp.Inputs) -> tuple[Floats, Floats]:
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
    process = gp.GaussianProcess(rows, values, REFERENCE, theta, np.ones(1))
    mean, sd = process.predict(asked)
    expected_mean, expected_sd = by_formula(theta[0], rows, values, asked)
    assert mean == pytest.approx(expected_mean, rel=1e-6)
    assert sd == pytest.approx(expected_sd, rel=1e-6)


def test_without_linear_terms_it_is_the_process_of_scikit_learn() -> None:
    rows, asked = inputs(12, 0, source=False), inputs(4, 1, source=False)
    rows, asked = (
        gp.Inputs(part.features, np.arange(4), np.empty((len(part), 0)), None, faulty=False)
        for part in (rows, asked)
    )
    values = np.random.default_rng(0).normal(size=12)
    scales = np.array([0.3, 0.5, 0.8, 1.2])
    theta = np.array([[np.log(0.7), np.log(0.1), 0.0, 0.0, -50.0, *np.log(scales)]])
    kernel = ConstantKernel(0.49, "fixed") * RBF(scales, "fixed") + ConstantKernel(OFFSET, "fixed")
    other = GaussianProcessRegressor(kernel, alpha=0.01 + 1e-6, optimizer=None)
    other.fit(rows.features, values - values.mean())
    mean, sd = other.predict(asked.features, return_std=True)
    found = gp.GaussianProcess(rows, values, REFERENCE, theta, np.ones(1)).predict(asked)
    assert found[0] == pytest.approx(mean + values.mean(), rel=1e-6)
    assert found[1] == pytest.approx(np.sqrt(sd**2 + 0.01), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_held_out_predictions_are_those_of_a_process_that_lacks_the_row(seed: int) -> None:
    rows, theta = inputs(8, seed), drawn(seed)
    values = np.random.default_rng(seed).normal(size=8)
    mean, sd = gp.GaussianProcess(rows, values, REFERENCE, theta, np.ones(1)).held_out()
    for row in range(8):
        kept = np.delete(np.arange(8), row)
        less = gp.GaussianProcess(rows.rows(kept), values[kept], REFERENCE, theta, np.ones(1))
        expected_mean, expected_sd = less.predict(rows.rows(np.array([row])))
        assert mean[row] == pytest.approx(expected_mean[0], abs=1e-5)
        # A row that is left out has its jitter left out as well.
        assert sd[row] == pytest.approx(expected_sd[0], rel=1e-3)


def test_the_evidence_is_the_density_of_a_normal_distribution() -> None:
    rows, thetas = inputs(7, 3), drawn(3, draws=5)
    values = np.random.default_rng(3).normal(size=7)
    found = gp._evidence(gp.Hyperparameters(thetas, rows.groups), rows, values, REFERENCE, np.ones(1))
    assert rows.source is not None
    for theta, one in zip(thetas, found, strict=True):
        mean = [shifted(theta, value) for value in rows.source]
        covariance = written_out(theta, rows, rows) + (np.exp(2 * theta[1]) + 1e-6) * np.eye(7)
        expected = multivariate_normal(mean, covariance).logpdf(values)
        assert one == pytest.approx(expected + 7 / 2 * np.log(2 * np.pi), rel=1e-6)


@pytest.mark.parametrize("source", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_slope_is_that_of_the_evidence(*, source: bool, seed: int) -> None:
    rows, theta = inputs(7, seed, source=source), drawn(seed)[0]
    rng = np.random.default_rng(seed)
    values, sound = rng.normal(size=7), rng.random(7)
    step = 1e-5 * np.eye(len(theta))
    near = gp.Hyperparameters(np.concatenate([theta + step, theta - step]), rows.groups)
    above, below = np.split(gp._evidence(near, rows, values, REFERENCE, sound), 2)
    here = gp.Hyperparameters(theta[None], rows.groups)
    evidence, slope = gp._evidence_and_slope(here, rows, values, REFERENCE, sound)
    assert evidence == pytest.approx(gp._evidence(here, rows, values, REFERENCE, sound)[0])
    assert slope == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-4)


def test_a_mixture_has_the_moments_of_its_parts() -> None:
    rows, asked, thetas = inputs(6, 5), inputs(3, 6), drawn(5, draws=2)
    values = np.random.default_rng(5).normal(size=6)
    weights = np.array([0.3, 0.7])
    mean, sd = gp.GaussianProcess(rows, values, REFERENCE, thetas, weights).predict(asked)
    parts = [
        gp.GaussianProcess(rows, values, REFERENCE, theta[None], np.ones(1)).predict(asked)
        for theta in thetas
    ]
    expected = sum(weight * part[0] for weight, part in zip(weights, parts, strict=True))
    square = sum(weight * (part[0] ** 2 + part[1] ** 2) for weight, part in zip(weights, parts, strict=True))
    assert mean == pytest.approx(expected)
    assert sd == pytest.approx(np.sqrt(square - expected**2))


def test_learning_finds_the_noise_and_which_option_matters() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((150, 3))
    values = np.sin(5 * features[:, 0]) + rng.normal(0, 0.05, 150)
    rows = gp.Inputs(features, np.arange(3), np.empty((150, 0)), None)
    draws, weights = gp.learn(rows, values, REFERENCE, prior(3))
    best = gp.Hyperparameters(draws[:1], rows.groups)
    assert np.sqrt(best.noise[0]) == pytest.approx(0.05, rel=0.3)
    assert best.relevance[0].argmax() == 0
    assert weights.sum() == pytest.approx(1)


def binary_rows(count: int, seed: int) -> tuple[gp.Inputs, Floats]:
    """A dozen options of two values of which three matter, one only together with another."""
    features = np.random.default_rng(seed).integers(0, 2, (count, 12)).astype(np.float64)
    values = 0.9 * features[:, 3] + 0.6 * features[:, 1] * features[:, 5] - 0.4 * features[:, 1]
    return gp.Inputs(features, np.arange(12), np.empty((count, 0)), None), values


def error_after_80_rows(faults: Floats) -> float:
    """Greatest error of the logarithm elsewhere, with noise of 1 % and these faults in the first rows."""
    rows, truth = binary_rows(80, seed=0)
    values = truth + np.random.default_rng(1).normal(0, 0.01, 80)
    values[: len(faults)] += faults
    draws, weights = gp.learn(rows, values, REFERENCE, prior(12))
    asked, expected = binary_rows(300, seed=2)
    mean, _ = gp.GaussianProcess(rows, values, REFERENCE, draws, weights).predict(asked)
    return float(np.abs(mean - expected).max())


def test_a_few_options_of_many_are_found() -> None:
    assert error_after_80_rows(np.empty(0)) < 0.03


def test_faults_of_measuring_do_no_harm() -> None:
    assert error_after_80_rows(np.array([2.0, -2.5])) < 0.03


def test_a_fault_is_far_off_when_it_is_held_out() -> None:
    rows, values = binary_rows(60, seed=0)
    values[7] += 2.0
    draws, weights = gp.learn(rows, values, REFERENCE, prior(12))
    process = gp.GaussianProcess(rows, values, REFERENCE, draws, weights)
    mean, sd = process.held_out()
    assert values[7] - mean[7] == pytest.approx(2.0, abs=0.1)
    assert sd[7] < 0.1
    assert process.without_noise()[7] == pytest.approx(values[7] - 2.0, abs=0.1)


@settings(max_examples=15)
@given(rows=st.integers(0, 12), seed=st.integers(0, 3), source=st.booleans())
def test_any_number_of_rows_gives_finite_predictions_and_the_same_again(
    *, rows: int, seed: int, source: bool
) -> None:
    given_rows = inputs(rows, seed, source=source, faulty=True)
    asked = inputs(3, seed + 1, source=source, faulty=True)
    values = np.random.default_rng(seed).normal(size=rows)
    draws, weights = gp.learn(given_rows, values, REFERENCE, prior(OPTIONS))
    again, _ = gp.learn(given_rows, values, REFERENCE, prior(OPTIONS))
    assert (draws == again).all()
    process = gp.GaussianProcess(given_rows, values, REFERENCE, draws, weights)
    for part in (*process.predict(asked), *process.held_out()):
        assert np.isfinite(part).all()


def test_rows_beyond_those_that_are_kept_count_as_held_out() -> None:
    rows, theta = inputs(600, 0), drawn(0)
    values = np.random.default_rng(0).normal(size=600)
    process = gp.GaussianProcess(rows, values, REFERENCE, theta, np.ones(1))
    beyond = np.setdiff1d(np.arange(600), process.rows)
    assert len(beyond) == 600 - 384
    held_out, predicted = process.held_out()[0], process.predict(rows)[0]
    assert (held_out[beyond] == predicted[beyond]).all()
    assert (held_out[process.rows] != predicted[process.rows]).all()


def test_hyperparameters_of_other_inputs_are_refused() -> None:
    rows = inputs(4, 0)
    for draws, weights, message in (
        (np.zeros((1, 7)), np.ones(1), "for 3 options"),
        (np.zeros((0, 8)), np.ones(0), "for 3 options"),
        (np.zeros((2, 8)), np.ones(2), "do not sum to 1"),
    ):
        with pytest.raises(InvalidError, match=message):
            gp.GaussianProcess(rows, np.zeros(4), REFERENCE, draws, weights)


@given(count=st.integers(1, 3000), most=st.integers(1, 600))
def test_spread_rows_are_different_and_in_no_step_with_the_order(count: int, most: int) -> None:
    chosen = gp.spread(count, most)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, most)
    # A period of 4, as a table that lists an innermost option of four values has.
    if most >= 200 and count > most:
        assert np.bincount(chosen % 4, minlength=4).min() > 0.2 * most
