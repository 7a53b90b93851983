from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.evidence import Evidence
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.estimate import (
    AccuracyEstimate,
    correctness,
    estimate_accuracy,
    signals_of,
)
from sidecar.estimation.accuracy.learned import Learned
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
# The consensus is right, so that what is left is the estimate itself.
EXACT = Learned(
    level=(0, 1, 0, 1, 0, 0),
    spread=1.0,
    level_error=(-9, 0, 0, 0, 0, 0),
    own_error=(-9, 0, 0),
    widening=1.0,
    validated_widening=1.0,
    sure=0.9,
)


def pool(votes: Array, sources: Sequence[SourceProfile] = ()) -> Evidence:
    answers = sure(votes, CLASSES, np.random.default_rng(1))
    return evidence(sources or [HERE] * len(votes), ROWS, answers, LABELS)


def estimated(of: Evidence, learned: Learned = EXACT) -> AccuracyEstimate:
    known = support(of)
    part = correctness(of, known, duplicate_weights(of.probabilities, of.votes))
    return estimate_accuracy([part], of, known, learned, np.random.default_rng(0), 400)


def width(of: AccuracyEstimate) -> float:
    interval = of.interval(0, 0.9)
    return interval.high - interval.low


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


def test_being_right_together_is_what_drawn_answers_are() -> None:
    rng = np.random.default_rng(3)
    _, votes = independent([0.8, 0.7, 0.6], 400, 3)
    votes = np.concatenate([votes, votes[:1]])
    of = pool(votes)
    part = correctness(of, support(of), np.ones(4))
    drawn = rng.random((20_000, 400)) < part.right[0]
    assert part.together[0, 0] == pytest.approx(part.value[0])
    assert part.together[0, 3] == pytest.approx(part.value[0])
    assert part.together[0, 0] == pytest.approx(drawn.mean(), abs=0.01)
    alike = votes[0] == votes[1]
    assert part.together[0, 1] == pytest.approx((part.right[0] * alike).mean(), abs=1e-9)


@pytest.mark.parametrize("classes", [4, 100])
def test_many_classes_have_an_estimate_too(classes: int) -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(classes, size=1000)
    votes = np.stack([noisy(truth, accuracy, classes, rng) for accuracy in (0.9, 0.7, 0.5)])
    labels = [str(number) for number in range(classes)]
    nothing = (None,) * 3
    of = Evidence(nothing, nothing, nothing, tuple(labels), np.eye(classes)[votes], hard=True)
    assert estimated(of).value == pytest.approx((votes == truth).mean(axis=1), abs=0.06)


def test_parts_weigh_what_they_hold_of_the_window() -> None:
    _, votes = independent([0.9, 0.7, 0.6], 300)
    pools = [pool(votes[:, here]) for here in (slice(0, 100), slice(100, 300))]
    parts = [correctness(of, support(of), np.ones(3)) for of in pools]
    whole = signals_of(parts, pool(votes), support(pool(votes)))
    assert whole.consensus == pytest.approx((parts[0].value + 2 * parts[1].value) / 3)
    assert whole.pooled == pytest.approx((parts[0].pooled + 2 * parts[1].pooled) / 3)
    assert whole.items == 300


def test_larger_errors_widen_the_intervals_and_move_no_estimate() -> None:
    of = pool(independent([0.9, 0.8, 0.7, 0.6], 500)[1])
    narrow, wide = (
        estimated(of, dataclasses.replace(EXACT, own_error=(error, 0, 0))).interval(1, 0.9)
        for error in (-9.0, -0.7)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_validation_speaks_where_the_traffic_fits_its_source() -> None:
    vague = dataclasses.replace(EXACT, level_error=(1.0, 0, 0, 0, 0, 0))
    votes = independent([0.6, 0.6, 0.6], 500)[1]
    without = estimated(pool(votes, [HERE] * 3), vague)
    with_it = estimated(pool(votes, [VALIDATED] * 3), vague)
    elsewhere = estimated(pool(votes, [ELSEWHERE] * 3), vague)
    assert with_it.value == pytest.approx(np.full(3, 0.88), abs=0.04)
    assert elsewhere.value == pytest.approx(without.value, abs=0.05)
    assert width(with_it) < width(without)


def test_candidates_that_vote_alike_err_alike() -> None:
    votes = independent([0.9, 0.7, 0.6], 300)[1][[0, 0, 1, 2]]
    found = estimated(
        pool(votes), dataclasses.replace(EXACT, level_error=(-1, 0, 0, 0, 0, 0), own_error=(-1, 0, 0))
    )
    assert found.draws[:, 0] == pytest.approx(found.draws[:, 1], abs=1e-9)
