from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sidecar.estimation.performance.evidence import evidence, evidence_and_slope
from sidecar.estimation.performance.hyperparameters import Hyperparameters
from tests.support.process_rows import REFERENCE, drawn, inputs, shifted, written_out


def test_the_evidence_is_the_density_of_a_normal_distribution() -> None:
    rows, thetas = inputs(7, 3), drawn(3, draws=5)
    values = np.random.default_rng(3).normal(size=7)
    found = evidence(Hyperparameters(thetas, rows.groups), rows, values, REFERENCE, np.ones(1))
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
    near = Hyperparameters(np.concatenate([theta + step, theta - step]), rows.groups)
    above, below = np.split(evidence(near, rows, values, REFERENCE, sound), 2)
    here = Hyperparameters(theta[None], rows.groups)
    value, slope = evidence_and_slope(here, rows, values, REFERENCE, sound)
    assert value == pytest.approx(evidence(here, rows, values, REFERENCE, sound)[0])
    assert slope == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-4)
