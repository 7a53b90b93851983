from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.gaussian_process import GaussianProcess
from sidecar.estimation.performance.hyperparameters import Hyperparameters
from sidecar.estimation.performance.learning import _descended, _Posterior, learn
from sidecar.estimation.performance.source import Source, prior
from sidecar.formats.performance_model import write_models
from tests.support.performance_system import SPACE, elsewhere, here, measured, source_cost
from tests.support.process_rows import OPTIONS, REFERENCE, drawn, inputs


def test_learning_finds_the_noise_and_which_option_matters() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((150, 3))
    values = np.sin(5 * features[:, 0]) + rng.normal(0, 0.05, 150)
    rows = Inputs(features, np.arange(3), np.empty((150, 0)), None)
    draws, weights = learn(rows, values, REFERENCE, prior(3))
    best = Hyperparameters(draws[:1], rows.groups)
    assert np.sqrt(best.noise[0]) == pytest.approx(0.05, rel=0.3)
    assert best.relevance[0].argmax() == 0
    assert weights.sum() == pytest.approx(1)


def binary_rows(count: int, seed: int) -> tuple[Inputs, Floats]:
    """A dozen options of two values of which three matter, one only together with another."""
    features = np.random.default_rng(seed).integers(0, 2, (count, 12)).astype(np.float64)
    values = 0.9 * features[:, 3] + 0.6 * features[:, 1] * features[:, 5] - 0.4 * features[:, 1]
    return Inputs(features, np.arange(12), np.empty((count, 0)), None), values


def error_after_80_rows(faults: Floats) -> float:
    """Greatest error of the logarithm elsewhere, with noise of 1 % and these faults in the first rows."""
    rows, truth = binary_rows(80, seed=0)
    values = truth + np.random.default_rng(1).normal(0, 0.01, 80)
    values[: len(faults)] += faults
    draws, weights = learn(rows, values, REFERENCE, prior(12))
    asked, expected = binary_rows(300, seed=2)
    mean, _ = GaussianProcess(rows, values, REFERENCE, draws, weights).predict(asked)
    return float(np.abs(mean - expected).max())


def test_a_few_options_of_many_are_found() -> None:
    assert error_after_80_rows(np.empty(0)) < 0.03


def test_faults_of_measuring_do_no_harm() -> None:
    assert error_after_80_rows(np.array([2.0, -2.5])) < 0.03


def test_a_fault_is_far_off_when_it_is_held_out() -> None:
    rows, values = binary_rows(60, seed=0)
    values[7] += 2.0
    draws, weights = learn(rows, values, REFERENCE, prior(12))
    process = GaussianProcess(rows, values, REFERENCE, draws, weights)
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
    draws, weights = learn(given_rows, values, REFERENCE, prior(OPTIONS))
    again, _ = learn(given_rows, values, REFERENCE, prior(OPTIONS))
    assert (draws == again).all()
    process = GaussianProcess(given_rows, values, REFERENCE, draws, weights)
    for part in (*process.predict(asked), *process.held_out()):
        assert np.isfinite(part).all()


@pytest.mark.parametrize("seed", range(3))
def test_descent_ends_where_the_loss_is_flat_and_knows_its_curvature(seed: int) -> None:
    rows = inputs(12, seed)
    values = np.random.default_rng(seed).normal(size=12)
    posterior = _Posterior(rows, values, REFERENCE, prior(OPTIONS), np.ones(1))
    start = drawn(seed)[0] - prior(OPTIONS).mean
    place, inverse = _descended(posterior, start)
    assert np.abs(posterior.loss(place)[1]).max() < 0.1
    assert posterior.loss(place)[0] < posterior.loss(start)[0]
    step = 1e-4 * np.eye(len(place))
    slopes = [posterior.loss(place + one)[1] - posterior.loss(place - one)[1] for one in step]
    curvature = np.array(slopes) / 2e-4
    # The descent knows the curvature along its own steps only.
    assert (np.linalg.eigvalsh(inverse) > 0).all()
    assert np.trace(inverse) == pytest.approx(np.trace(np.linalg.inv(curvature)), rel=0.5)


def test_without_scipy_fitting_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sidecar.estimation.performance.learning", raising=False)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(InvalidError, match=r"needs scipy.*pip install 'pilotfish\[perf\]'"):
        Source.learn(measured(SPACE, "elsewhere", source_cost, 20, seed=0), "latency_s")


def test_a_stored_model_predicts_without_scipy(tmp_path: Path) -> None:
    model = fit([elsewhere()], here(8), "latency_s")
    write_models({"latency_s": model}, tmp_path / "model.safetensors")
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from sidecar.formats.performance_model import read_models\n"
        "model = read_models(sys.argv[1])['latency_s']\n"
        "print(*model.predict(model.space.code({})[None]).high)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.safetensors")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert float(told.stdout) == pytest.approx(model.predict(SPACE.code({})[None]).high[0])
