from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.chooser import choose, split
from sidecar.estimation.performance.task import Learned, LogPrediction, Rows


@dataclass(frozen=True)
class Known:
    held_out: LogPrediction
    learned: Learned = field(default_factory=dict)

    def predict(self, rows: Rows) -> LogPrediction:
        del rows
        return self.held_out


def known(means: Floats, sd: float) -> Known:
    return Known((means, np.full(len(means), sd)))


NOTHING = np.empty((0, 0))
NO_ROWS = Rows(NOTHING, NOTHING, NOTHING, np.empty(0), NOTHING)


def test_weights_maximise_the_held_out_likelihood_with_its_prior() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=12)
    members = {"a": known(values + rng.normal(0, 0.3, 12), 0.4), "b": known(rng.normal(size=12), 1.0)}
    found = choose(members, {"a": 1.0, "b": 3.0}, values)
    densities = np.stack([norm(*member.held_out).pdf(values) for member in members.values()])

    def loss(share: Floats) -> float:
        weights = np.array([share[0], 1 - share[0]])
        return -float(np.log(weights @ densities).sum() + 10 * (np.array([0.25, 0.75]) @ np.log(weights)))

    best = minimize(loss, [0.5], bounds=[(0.001, 0.999)]).x[0]
    assert found.weights["a"] == pytest.approx(best, abs=1e-3)


def test_without_rows_the_trust_decides() -> None:
    members = {"a": known(np.empty(0), 1.0), "b": known(np.empty(0), 1.0)}
    assert choose(members, {"a": 1.0, "b": 3.0}, np.empty(0)).weights == pytest.approx({"a": 0.25, "b": 0.75})


def test_what_predicts_far_worse_is_dropped() -> None:
    values = np.zeros(200)
    members = {"good": known(values, 0.1), "bad": known(values + 9, 0.1)}
    assert set(choose(members, {"good": 1.0, "bad": 0.1}, values).weights) == {"good"}


def test_a_member_that_is_unsure_says_little() -> None:
    members = {"sure": known(np.zeros(2), 0.1), "unsure": known(np.full(2, 9.0), 10.0)}
    mean, _ = choose(members, {"sure": 1.0, "unsure": 1.0}, np.empty(0)).predict(NO_ROWS)
    assert mean == pytest.approx(9 * 0.01 / 100.01)


@given(
    gap=st.floats(0, 5),
    sds=st.tuples(st.floats(0.01, 3), st.floats(0.01, 3)),
)
def test_the_pool_lies_between_its_members_and_is_never_surer_than_the_surest(
    gap: float, sds: tuple[float, float]
) -> None:
    members = {"a": known(np.zeros(1), sds[0]), "b": known(np.full(1, gap), sds[1])}
    mean, sd = choose(members, {"a": 1.0, "b": 1.0}, np.empty(0)).held_out
    assert -1e-9 <= mean[0] <= gap + 1e-9
    assert sd[0] >= min(sds) * (1 - 1e-9)


def test_what_is_learned_can_be_taken_apart_again() -> None:
    members = {
        "a": Known((np.zeros(1), np.ones(1)), {"draws": np.ones((1, 2))}),
        "b": known(np.zeros(1), 1.0),
    }
    weights, learned = split(choose(members, {"a": 1.0, "b": 1.0}, np.zeros(1)).learned)
    assert weights == pytest.approx({"a": 0.5, "b": 0.5})
    assert learned["a"]["draws"].shape == (1, 2)
