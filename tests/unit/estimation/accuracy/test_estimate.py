from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sidecar.core.evidence import Evidence
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.error_model import ErrorModel
from sidecar.estimation.accuracy.estimate import (
    AccuracyEstimate,
    _answer_noise,
    correctness,
    estimate_accuracy,
)
from sidecar.estimation.accuracy.support import support
from sidecar.estimation.measures.likeness import duplicate_weights
from tests.support.made_evidence import evidence, noisy, profile, sure

CLASSES = 4
LABELS = "abcd"
RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(2000, 10))
ROWS = RNG.normal(size=(500, 10))
KNOWN = np.full((4, 4), 4) + 84 * np.eye(4, dtype=np.int64)
HERE = profile(TRAIN, LABELS)
VALIDATED = profile(TRAIN, LABELS, KNOWN)
ELSEWHERE = profile(TRAIN + 20, LABELS, KNOWN)
# Consensus is right, so that what is left is the estimate itself.
EXACT = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0, validated=0)


def pool(votes: Array, sources: Sequence[SourceProfile] = ()) -> Evidence:
    answers = sure(votes, CLASSES, np.random.default_rng(1))
    return evidence(sources or [HERE] * len(votes), ROWS, answers, LABELS)


def estimated(of: Evidence, model: ErrorModel = EXACT) -> AccuracyEstimate:
    rng = np.random.default_rng(0)
    known = support(of)
    part = correctness(of, known, duplicate_weights(of.probabilities, of.votes), rng, 400)
    return estimate_accuracy([part], of.votes, known, model, rng)


def independent(accuracies: list[float], items: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=items)
    return truth, np.stack([noisy(truth, accuracy, CLASSES, rng) for accuracy in accuracies])


@pytest.mark.parametrize("seed", range(5))
def test_independent_candidates_are_put_in_order_and_estimated_from_below(seed: int) -> None:
    truth, votes = independent([0.9, 0.8, 0.7, 0.6, 0.5], 800, seed)
    found = estimated(pool(votes))
    assert found.value == pytest.approx((votes == truth).mean(axis=1), abs=0.09)
    assert (np.diff(found.value) < 0).all()


def test_a_clear_best_is_best_in_all_draws() -> None:
    found = estimated(pool(independent([0.95, 0.6, 0.6, 0.6], 1000)[1]))
    assert (found.draws.argmax(axis=1) == 0).mean() >= 0.99


def test_the_interval_narrows_with_items() -> None:
    widths = []
    for items in (60, 2000):
        found = estimated(pool(independent([0.9, 0.8, 0.7, 0.6], items)[1]))
        one = found.interval(1, 0.9)
        assert one.low <= one.value <= one.high
        widths.append(one.high - one.low)
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize("good", [1, 2])
def test_an_irrelevant_majority_does_not_outvote_those_whose_source_covers_the_traffic(good: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(CLASSES, size=1500)
    shared = noisy(truth, 0.3, CLASSES, rng)
    poor = [np.where(rng.random(1500) < 0.65, shared, rng.integers(CLASSES, size=1500)) for _ in range(6)]
    agreement = np.mean([(poor[0] == other).mean() for other in poor[1:]])
    assert agreement == pytest.approx(0.55, abs=0.04)
    votes = np.stack(poor + [noisy(truth, 0.85, CLASSES, rng) for _ in range(good)])
    found = estimated(pool(votes, [ELSEWHERE] * 6 + [VALIDATED] * good))
    assert found.value.argmax() >= 6
    assert found.value[6:] == pytest.approx(np.full(good, 0.85), abs=0.1)
    without_sources = estimated(pool(votes))
    assert without_sources.value.argmax() < 6, "the case is no longer hard: the sources were not needed"


def test_copies_of_one_candidate_do_not_outvote_two_better_ones() -> None:
    rng = np.random.default_rng(3)
    truth, votes = independent([0.55, 0.9, 0.85], 1000, 3)
    answers = sure(votes, CLASSES, rng)[[0, 0, 0, 0, 1, 2]]
    found = estimated(evidence([HERE] * 6, ROWS, answers, LABELS))
    assert found.value.argmax() == 4
    assert found.value[4] == pytest.approx((votes[1] == truth).mean(), abs=0.2)


@settings(max_examples=20)
@given(st.permutations(range(30)))
def test_the_order_of_items_changes_nothing(order: list[int]) -> None:
    of = pool(independent([0.9, 0.7, 0.6], 30)[1])
    moved = dataclasses.replace(of, probabilities=of.shares.where(np.array(order)))
    one, other = estimated(of), estimated(moved)
    assert one.value == pytest.approx(other.value)
    assert one.draws == pytest.approx(other.draws)


@pytest.mark.parametrize("votes", [np.zeros((3, 40), int), np.array([[0], [1]]), np.zeros((2, 1), int)])
def test_degenerate_windows_have_finite_estimates(votes: Array) -> None:
    found = estimated(pool(votes))
    for values in (found.value, found.draws, found.kappa):
        assert np.isfinite(values).all()
    assert ((found.draws >= 0) & (found.draws <= 1 + 1e-12)).all()


def test_the_noise_of_unseen_answers_is_that_of_drawn_answers() -> None:
    rng = np.random.default_rng(3)
    votes = rng.integers(CLASSES, size=(4, 6))
    votes[3] = votes[0]
    posterior = rng.dirichlet(np.ones(CLASSES), 6)
    counts = np.array([1, 2, 3, 1, 1, 2])
    noise = _answer_noise(votes, posterior, counts, rng, 100_000)
    drawn = np.zeros((50_000, 4))
    for item in np.repeat(np.arange(6), counts):
        answers = rng.choice(CLASSES, size=50_000, p=posterior[item])
        drawn += answers[:, None] == votes[:, item]
    np.testing.assert_allclose(np.cov(noise.T), np.cov(drawn.T), atol=0.05)
    np.testing.assert_allclose(noise[:, 3], noise[:, 0], atol=1e-12)


def test_an_interval_is_no_narrower_than_the_answers_are_uncertain() -> None:
    _, votes = independent([0.8, 0.8], 300)
    interval = estimated(pool(votes, [VALIDATED, ELSEWHERE])).interval(0, 0.9)
    assert interval.high - interval.low > 0.05


def test_parts_weigh_what_they_hold_of_the_window() -> None:
    _, votes = independent([0.9, 0.7, 0.6], 300)
    rng = np.random.default_rng(0)
    pools = [pool(votes[:, here]) for here in (slice(0, 100), slice(100, 300))]
    parts = [correctness(of, support(of), np.ones(3), rng, 100) for of in pools]
    whole = estimate_accuracy(parts, votes, support(pool(votes)), EXACT, rng)
    assert whole.consensus == pytest.approx((parts[0].value + 2 * parts[1].value) / 3)
    assert whole.draws == pytest.approx((parts[0].draws + 2 * parts[1].draws) / 3)


def test_errors_of_the_model_widen_the_intervals() -> None:
    of = pool(independent([0.9, 0.8, 0.7, 0.6], 500)[1])
    narrow, wide = (
        estimated(of, dataclasses.replace(EXACT, shared_sd=sd, own_sd=sd)).interval(1, 0.9)
        for sd in (0.0, 0.5)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_validation_speaks_for_those_alone_that_the_traffic_is_like() -> None:
    of = pool(independent([0.6, 0.6, 0.6], 500)[1], [VALIDATED, ELSEWHERE, HERE])
    without, with_it = (estimated(of, dataclasses.replace(EXACT, validated=one)) for one in (0, 0.5))
    assert with_it.value[0] == pytest.approx((without.value[0] + 0.88) / 2, abs=1e-3)
    assert with_it.value[1:] == pytest.approx(without.value[1:])
    assert with_it.draws[:, 0].mean() > without.draws[:, 0].mean() or without.value[0] > 0.88


def test_candidates_that_vote_alike_err_alike() -> None:
    votes = independent([0.9, 0.7, 0.6], 300)[1][[0, 0, 1, 2]]
    found = estimated(pool(votes), dataclasses.replace(EXACT, shared_sd=0.3, own_sd=0.5))
    assert found.draws[:, 0] == pytest.approx(found.draws[:, 1])


@pytest.mark.parametrize(("error", "candidates"), [(0.02, 8), (0.1, 8), (0.1, 40), (0.3, 3)])
def test_order_risk_is_how_often_truths_drawn_so_order_otherwise(error: float, candidates: int) -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(0.5, 0.1, candidates)
    truths = value + rng.normal(0, error, (2000, candidates))
    bad = np.mean([spearmanr(value, truth).statistic < 0.3 for truth in truths])
    draws = value + rng.normal(0, error, (2000, candidates))
    found = AccuracyEstimate(value, value, draws, np.zeros(candidates))
    assert found.order_risk(0.3) == pytest.approx(bad, abs=0.04)


def test_of_two_candidates_the_order_risk_is_the_chance_that_the_other_one_is_better() -> None:
    value = np.array([0.6, 0.5])
    draws = value + np.random.default_rng(0).normal(0, 0.1, (400, 2))
    found = AccuracyEstimate(value, value, draws, value)
    assert found.order_risk(0.3) == np.mean(draws[:, 0] < draws[:, 1])


def test_an_order_of_equals_is_a_bad_one_for_sure() -> None:
    equal, draws = np.full(3, 0.5), np.random.default_rng(0).uniform(size=(10, 3))
    assert AccuracyEstimate(equal, equal, draws, equal).order_risk(0.3) == 1
    assert AccuracyEstimate(equal, draws[0], np.full((10, 3), 0.5), equal).order_risk(0.3) == 1
