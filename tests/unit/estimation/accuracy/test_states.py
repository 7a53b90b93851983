"""When a ranking promises nothing, and what it says of the reason."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import State
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.estimate import AccuracyEstimate
from sidecar.estimation.accuracy.states import candidate_doubt, pool_doubt, promise_doubt, support_doubt
from sidecar.estimation.accuracy.support import Support
from tests.support.made_evidence import evidence, noisy, profile

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(3, size=600)
NOTHING = (None,) * 3
GUESSES = np.eye(3)[RNG.integers(3, size=(3, 600))]
ANSWERS = np.eye(3)[np.stack([noisy(TRUTH, accuracy, 3, RNG) for accuracy in (0.9, 0.8, 0.7)])]


def pool(answers: Floats) -> Evidence:
    return Evidence(NOTHING, NOTHING, NOTHING, ("a", "b", "c"), answers, hard=True)


def sources(inside: float | None, fit: float = 0.0) -> Support:
    return Support((inside,) * 3, np.full(3, 0.1), np.full(3, fit))


def estimate(values: Floats, error: float) -> AccuracyEstimate:
    draws = values + np.random.default_rng(1).normal(0, error, (4000, len(values)))
    return AccuracyEstimate(values, draws, values)


def test_a_first_candidate_that_is_surely_good_enough_is_promised() -> None:
    assert promise_doubt(estimate(np.array([0.9, 0.8, 0.7]), 0.01), 0.05, 0.9) is None


def test_equal_candidates_are_a_promise_too_where_little_can_be_lost() -> None:
    assert promise_doubt(estimate(np.full(3, 0.8), 0.005), 0.05, 0.9) is None


def test_estimates_that_err_too_much_are_tied_and_say_how_likely_a_loss_is() -> None:
    found = promise_doubt(estimate(np.array([0.9, 0.85]), 0.2), 0.05, 0.9)
    assert found is not None
    assert found[0] is State.TIED
    # Two normal errors of .2 differ by more than .1 with probability .36.
    assert any(f"with probability {percent}% " in found[1] for percent in (35, 36, 37))
    assert "loses more than 0.05 accuracy" in found[1]


def test_the_share_of_draws_that_is_asked_for_is_the_learned_one() -> None:
    close = estimate(np.array([0.9, 0.85]), 0.1)
    assert promise_doubt(close, 0.05, 0.5) is None
    assert promise_doubt(close, 0.05, 0.95) is not None


def test_guesses_are_near_chance_unless_a_validation_holds_for_this_traffic() -> None:
    found = pool_doubt(pool(GUESSES), sources(None))
    assert found is not None
    assert found[0] is State.NEAR_CHANCE
    assert pool_doubt(pool(ANSWERS), sources(None)) is None
    train = RNG.normal(size=(600, 2))
    confusion = np.full((3, 3), 10) + 60 * np.eye(3, dtype=np.int64)
    validated = evidence([profile(train, "abc", confusion)] * 3, train, GUESSES, "abc")
    assert pool_doubt(validated, sources(1.0, fit=0.9)) is None
    assert pool_doubt(validated, sources(1.0, fit=0.1)) is not None


def test_where_no_source_holds_the_traffic_the_ranking_is_out_of_support() -> None:
    found = pool_doubt(pool(ANSWERS), sources(0.3))
    assert found is not None
    assert found[0] is State.OUT_OF_SUPPORT
    assert pool_doubt(pool(ANSWERS), sources(0.6)) is None


def test_a_candidates_own_doubt_names_what_is_missing() -> None:
    assert support_doubt(0.3) == (
        State.OUT_OF_SUPPORT,
        "30% of the traffic's values occur in its training data; 50% is needed",
    )
    assert candidate_doubt(0.9, 0.5, validated=False) is None
    found = candidate_doubt(None, 0.05, validated=False)
    assert found is not None
    assert found[0] is State.NEAR_CHANCE
    assert candidate_doubt(None, 0.05, validated=True) is None
