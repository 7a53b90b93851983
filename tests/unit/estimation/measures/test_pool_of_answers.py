"""Measures that compare the candidates' answers with each other."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.tensors import Array
from sidecar.estimation.measures.aline import agreement_line
from tests.support.made_answers import known, validated, values
from tests.support.made_evidence import evidence, noisy, sure
from tests.unit.estimation.measures.test_consensus import brute_force, flat

SEEDS = st.integers(0, 9999)
CLASSES = 3
UNKNOWN = (np.ones((CLASSES, CLASSES)) + np.eye(CLASSES)) / (CLASSES + 1)


def drawn(seed: int, candidates: int = 4, items: int = 12) -> Array:
    return np.random.default_rng(seed).integers(CLASSES, size=(candidates, items))


def hard(votes: Array, classes: int = CLASSES) -> Array:
    return np.eye(classes)[votes]


def independent(accuracies: list[float], items: int = 3000) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    truth = rng.integers(CLASSES, size=items)
    return truth, np.stack([noisy(truth, accuracy, CLASSES, rng) for accuracy in accuracies])


@given(SEEDS)
def test_agreement_is_the_mean_over_the_others(seed: int) -> None:
    votes = drawn(seed)
    same = [[np.mean(one == other) for other in votes] for one in votes]
    expected = [(sum(row) - 1) / (len(votes) - 1) for row in same]
    assert values(known(hard(votes)), "agreement") == pytest.approx(expected)


@given(SEEDS)
def test_ensv_of_probabilities_is_agreement_with_their_mean(seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), size=(4, 12))
    ensemble = shares.sum(axis=0).argmax(axis=1)
    assert values(known(shares), "ensv") == pytest.approx((shares.argmax(axis=2) == ensemble).mean(axis=1))


@given(SEEDS)
def test_ensv_of_classes_is_agreement_with_the_plurality_and_splits_ties(seed: int) -> None:
    votes = drawn(seed)
    scores = np.zeros(len(votes))
    for item in votes.T:
        counts = Counter(item.tolist())
        best = [label for label, count in counts.items() if count == max(counts.values())]
        scores += [(vote in best) / len(best) for vote in item]
    assert values(known(hard(votes)), "ensv") == pytest.approx(scores / votes.shape[1])


@given(SEEDS)
def test_aline_is_the_least_squares_solution_over_all_pairs(seed: int) -> None:
    votes = drawn(seed, candidates=5)
    items = votes.shape[1]
    pairs = list(combinations(range(5), 2))
    system = np.array([[0.5 * (index in pair) for index in range(5)] for pair in pairs])
    agreed = [((votes[one] == votes[other]).sum() + 0.5) / (items + 1) for one, other in pairs]
    probits = [NormalDist().inv_cdf(share) for share in agreed]
    solved = np.linalg.lstsq(system, np.array(probits))[0]
    expected = [0.5 * (1 + math.erf(probit / 2**0.5)) for probit in solved]
    assert values(known(hard(votes)), "aline") == pytest.approx(expected)


def test_aline_of_candidates_that_always_agree_is_finite() -> None:
    found = values(known(hard(np.zeros((3, 50), dtype=int))), "aline")
    assert found == pytest.approx([50.5 / 51] * 3)


def test_aline_orders_independent_candidates() -> None:
    _, votes = independent([0.9, 0.8, 0.7, 0.5])
    found = [one.value for one in agreement_line(known(hard(votes)))]
    assert found == sorted(found, reverse=True)


@given(SEEDS)
def test_the_flat_consensus_is_that_of_the_algorithm_written_out(seed: int) -> None:
    votes = drawn(seed, candidates=3, items=8)
    posterior, _ = brute_force(votes, flat(3, CLASSES), np.ones(3))
    expected = [posterior[np.arange(8), one].mean() for one in votes]
    assert values(known(hard(votes)), "dawid_skene_flat") == pytest.approx(expected)


@given(SEEDS)
def test_the_informed_consensus_starts_from_the_validation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    votes = drawn(seed, candidates=3, items=8)
    truth = rng.integers(CLASSES, size=60)
    answered = [noisy(truth, accuracy, CLASSES, rng) for accuracy in (0.9, 0.6, 0.4)]
    sources = [validated(sure(one, CLASSES, rng), truth, "abc") for one in answered]
    prior = np.tile(UNKNOWN, (3, 1, 1))
    for index, one in enumerate(answered):
        for label in range(CLASSES):
            of_class = one[truth == label]
            shares = np.bincount(of_class, minlength=CLASSES) / max(len(of_class), 1)
            # A tenth of the window's 8 items, spread over the classes.
            prior[index, label] += 0.1 * 8 / CLASSES * shares
    of = evidence(sources, rng.normal(size=(200, 2)), sure(votes, CLASSES, rng), "abc")
    posterior, _ = brute_force(votes, prior, np.ones(3))
    expected = [posterior[np.arange(8), one].mean() for one in votes]
    assert values(of, "dawid_skene") == pytest.approx(expected)


def test_the_consensus_estimates_independent_candidates() -> None:
    truth, votes = independent([0.9, 0.75, 0.6, 0.5])
    of = known(sure(votes, CLASSES, np.random.default_rng(0)))
    for name in ("dawid_skene_flat", "dawid_skene"):
        assert values(of, name) == pytest.approx((votes == truth).mean(axis=1), abs=0.04)


def test_copies_lead_the_flat_consensus_only() -> None:
    truth, votes = independent([0.5, 0.85, 0.8])
    shares = sure(votes, CLASSES, np.random.default_rng(0))[[0, 0, 0, 0, 1, 2]]
    right = (votes[1] == truth).mean()
    assert values(known(shares), "dawid_skene_flat")[4] < right - 0.2
    found = values(known(shares), "dawid_skene")
    assert int(np.argmax(found)) == 4
    assert found[4] == pytest.approx(right, abs=0.1)


def test_a_known_confusion_leads_where_candidates_contradict_each_other() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(CLASSES, size=500)
    votes = np.stack([noisy(truth, accuracy, CLASSES, rng) for accuracy in (0.95, 0.4)])
    sources = [validated(sure(one, CLASSES, rng), truth, "abc") for one in votes]
    of = evidence(sources, rng.normal(size=(200, 2)), sure(votes, CLASSES, rng), "abc")
    informed, flat_ones = values(of, "dawid_skene"), values(of, "dawid_skene_flat")
    assert informed[0] - informed[1] > 0.3
    assert flat_ones[0] == pytest.approx(flat_ones[1], abs=0.2)
