from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sidecar.estimation.measures.likeness import (
    beyond_chance,
    duplicate_weights,
    pairwise_agreement,
    pool_beyond_chance,
)
from tests.support.made_evidence import noisy, sure


def test_two_unusable_answers_are_no_agreement() -> None:
    votes = np.array([[0, 2, 2, 1], [0, 2, 1, 1]])
    assert pairwise_agreement(votes, unusable=2).tolist() == [[1, 0.5], [0.5, 1]]
    assert pool_beyond_chance(votes, 3, unusable=2) < pool_beyond_chance(votes, 3)


@given(st.integers(0, 99))
def test_pairwise_agreement_is_the_brute_force_share(seed: int) -> None:
    votes = np.random.default_rng(seed).integers(3, size=(4, 9))
    expected = [[np.mean(one == other) for other in votes] for one in votes]
    assert pairwise_agreement(votes).tolist() == expected


@given(st.integers(0, 99))
def test_kappa_of_a_pair_is_cohens(seed: int) -> None:
    votes = np.random.default_rng(seed).integers(3, size=(2, 30))
    assert pool_beyond_chance(votes, 3) == pytest.approx(cohen_kappa_score(*votes))


def test_kappa_at_its_ends() -> None:
    assert beyond_chance(1.0, 0.3) == 1
    assert beyond_chance(0.3, 0.3) == 0
    assert beyond_chance(1.0, 1.0) == 0


def test_copies_share_a_vote_and_independent_models_do_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(5, size=500)
    votes = np.stack([noisy(truth, 0.995, 5, rng) for _ in range(3)])
    answers = sure(votes, 5, rng)
    assert duplicate_weights(answers, votes).tolist() == [1, 1, 1]
    copies, copied = answers[[0, 1, 1, 1, 2]], votes[[0, 1, 1, 1, 2]]
    assert duplicate_weights(copies, copied) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 1])
