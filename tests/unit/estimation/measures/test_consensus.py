from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.consensus import MAX_ITERATIONS, TOLERANCE, dawid_skene, one_coin
from tests.support.made_evidence import noisy


def flat(candidates: int, classes: int) -> Floats:
    return np.tile((np.ones((classes, classes)) + np.eye(classes)) / (classes + 1), (candidates, 1, 1))


def drawn(candidates: int, items: int, classes: int, seed: int) -> Array:
    return np.random.default_rng(seed).integers(classes, size=(candidates, items))


def brute_force(votes: Array, prior: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The same algorithm, written out in loops and without logarithms."""
    candidates, items = votes.shape
    classes = prior.shape[1]

    def expect(confusion: Floats, shares: Floats) -> Floats:
        posterior = np.zeros((items, classes))
        for item, true in product(range(items), range(classes)):
            terms = [confusion[c, true, votes[c, item]] ** weights[c] for c in range(candidates)]
            posterior[item, true] = shares[true] * math.prod(terms)
        return np.asarray(posterior / posterior.sum(axis=1, keepdims=True))

    confusion = prior / prior.sum(axis=2, keepdims=True)
    posterior = expect(confusion, np.full(classes, 1 / classes))
    for _ in range(MAX_ITERATIONS):
        pseudo = prior.copy()
        for c, item, true in product(range(candidates), range(items), range(classes)):
            pseudo[c, true, votes[c, item]] += posterior[item, true]
        confusion = pseudo / pseudo.sum(axis=2, keepdims=True)
        shares = (posterior.sum(axis=0) + 1) / (items + classes)
        before, posterior = posterior, expect(confusion, shares)
        if np.abs(posterior - before).max() < TOLERANCE:
            break
    return posterior, confusion


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(0, 999))
def test_it_is_the_algorithm_written_out(candidates: int, items: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    votes = drawn(candidates, items, classes, seed)
    prior = rng.uniform(0.1, 3, (candidates, classes, classes))
    weights = rng.uniform(0, 1, candidates)
    found = dawid_skene(votes, prior, weights, np.ones(items))
    posterior, confusion = brute_force(votes, prior, weights)
    assert found.posterior == pytest.approx(posterior)
    assert found.confusion == pytest.approx(confusion)


@given(st.integers(0, 999))
def test_counting_a_column_is_repeating_it(seed: int) -> None:
    votes, counts = drawn(3, 5, 3, seed), np.array([1, 4, 2, 1, 3])
    counted = dawid_skene(votes, flat(3, 3), np.ones(3), counts)
    repeated = dawid_skene(np.repeat(votes, counts, axis=1), flat(3, 3), np.ones(3), np.ones(counts.sum()))
    assert np.repeat(counted.posterior, counts, axis=0) == pytest.approx(repeated.posterior)


@given(st.permutations(range(8)), st.permutations(range(3)), st.permutations(range(4)), st.integers(0, 99))
def test_order_and_names_change_nothing(
    items: list[int], classes: list[int], candidates: list[int], seed: int
) -> None:
    votes, prior = drawn(4, 8, 3, seed), flat(4, 3)
    found = dawid_skene(votes, prior, np.ones(4), np.ones(8))
    moved = dawid_skene(np.array(classes)[votes[candidates][:, items]], prior, np.ones(4), np.ones(8))
    assert moved.posterior[:, classes] == pytest.approx(found.posterior[items], abs=1e-9)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
def test_everything_is_a_distribution(candidates: int, items: int, classes: int, seed: int) -> None:
    votes = drawn(candidates, items, classes, seed)
    found = dawid_skene(votes, flat(candidates, classes), np.ones(candidates), np.ones(items))
    for shares in (found.posterior, found.confusion, found.class_prior):
        assert shares.sum(axis=-1) == pytest.approx(np.ones(shares.shape[:-1]))
        assert (shares >= 0).all()
    assert 1 <= found.iterations <= MAX_ITERATIONS


def test_it_recovers_accuracies_and_class_shares() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(4, size=3000, p=[0.4, 0.3, 0.2, 0.1])
    accuracies = [0.9, 0.75, 0.6, 0.5, 0.4]
    votes = np.stack([noisy(truth, accuracy, 4, rng) for accuracy in accuracies])
    found = dawid_skene(votes, flat(5, 4), np.ones(5), np.ones(3000))
    right = found.posterior[np.arange(3000), votes].mean(axis=1)
    assert right == pytest.approx((votes == truth).mean(axis=1), abs=0.02)
    assert found.class_prior == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.03)


def test_a_candidate_that_is_wrong_in_a_known_way_still_tells_the_class() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=1500)
    votes = np.stack([noisy(truth, 0.8, 3, rng) for _ in range(3)] + [(truth + 1) % 3])
    found = dawid_skene(votes, flat(4, 3), np.ones(4), np.ones(1500))
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.99


def test_a_vote_without_weight_says_nothing() -> None:
    votes = drawn(3, 20, 3, 0)
    weights = np.array([1.0, 1.0, 0.0])
    with_it = dawid_skene(votes, flat(3, 3), weights, np.ones(20))
    without = dawid_skene(votes[:2], flat(2, 3), weights[:2], np.ones(20))
    assert with_it.posterior == pytest.approx(without.posterior)


def one_coin_by_definition(votes: Array, classes: int, weights: Floats, accuracies: Floats) -> Floats:
    """Probability that each answer is right, class by class."""
    found = np.zeros(votes.shape)
    for item in range(votes.shape[1]):
        scores = np.zeros(classes)
        for candidate, accuracy in enumerate(accuracies):
            likely = np.full(classes, np.log((1 - accuracy) / (classes - 1)))
            likely[votes[candidate, item]] = np.log(accuracy)
            scores += weights[candidate] * likely
        shares = np.exp(scores - scores.max())
        found[:, item] = shares[votes[:, item]] / shares.sum()
    return found


@given(st.integers(1, 5), st.integers(2, 30), st.integers(2, 80), st.integers(0, 99))
def test_one_coin_is_a_fixed_point_of_its_definition(
    candidates: int, items: int, classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.integers(min(classes, 4), size=(candidates, items))
    weights = rng.uniform(0.2, 1, candidates)
    counts = np.ones(items)
    known, rows = np.full(candidates, 0.7), np.full(candidates, 20.0)
    found = one_coin(votes, classes, weights, counts, known, rows)
    accuracies = (found.sum(axis=1) + 14 + 1) / (items + 20 + 2)
    again = one_coin_by_definition(votes, classes, weights, accuracies)
    assert found == pytest.approx(again, abs=0.05)
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("few_classes", [True, False])
def test_nobody_is_right_without_a_usable_answer(few_classes: bool) -> None:  # noqa: FBT001 - a case
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=600)
    votes = np.stack([noisy(truth, accuracy, 3, rng) for accuracy in (0.8, 0.8, 0.7, 0.9)])
    # Half of the candidates give no usable answer to half of the items, and are alike in that.
    votes[:2, :300] = 3
    counts = np.ones(600)
    if few_classes:
        posterior = dawid_skene(votes, flat(4, 4), np.ones(4), counts, unusable=3).posterior
        right = posterior[np.arange(600), votes]
        assert not posterior[:, 3].any()
    else:
        right = one_coin(votes, 4, np.ones(4), counts, np.zeros(4), np.zeros(4), unusable=3)
    assert not right[:2, :300].any()
    assert right.mean(axis=1) == pytest.approx((votes == truth).mean(axis=1), abs=0.08)


def test_one_coin_recovers_accuracies_among_a_thousand_classes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(1000, size=2000)
    votes = np.stack([noisy(truth, accuracy, 1000, rng) for accuracy in (0.9, 0.7, 0.5, 0.3)])
    found = one_coin(votes, 1000, np.ones(4), np.ones(2000), np.zeros(4), np.zeros(4))
    assert found.mean(axis=1) == pytest.approx((votes == truth).mean(axis=1), abs=0.03)


def test_one_coin_makes_no_more_than_certainty_of_full_agreement() -> None:
    votes = np.tile(np.arange(1000) % 100, (20, 1))
    found = one_coin(votes, 1000, np.full(20, 0.37), np.ones(1000), np.full(20, 0.9), np.full(20, 1e3))
    assert found.max() <= 1


@pytest.mark.parametrize("prior", [np.zeros((2, 3, 3)), np.ones((1, 3, 3)), np.ones((2, 3, 2))])
def test_a_prior_that_does_not_fit_is_refused(prior: Floats) -> None:
    with pytest.raises(InvalidError, match="prior"):
        dawid_skene(drawn(2, 4, 3, 0), prior, np.ones(2), np.ones(4))


def test_no_item_is_refused() -> None:
    with pytest.raises(InvalidError, match="n > 0"):
        dawid_skene(drawn(2, 0, 3, 0), flat(2, 3), np.ones(2), np.ones(0))
