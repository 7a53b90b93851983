from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sidecar.accuracy.agreement import (
    beyond_chance,
    duplicate_weights,
    pairwise_agreement,
    pool_beyond_chance,
)
from sidecar.accuracy.prior import VALIDATION_SHARE, confusion_prior
from sidecar.accuracy.support import support_of, support_weights
from sidecar.domain.ranking import Estimate, MeasureValue
from tests.unit.measures.made_evidence import noisy, profile, sure

ROWS = np.random.default_rng(0).normal(size=(100, 1))


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


def test_the_prior_holds_the_validation_confusion_as_far_as_the_source_covers() -> None:
    confusion = np.array([[30, 10], [5, 15]])
    sources = [profile(ROWS, "ab", confusion), profile(ROWS, "ba", confusion), profile(ROWS, "ab")]
    prior = confusion_prior(sources, "abc", np.array([1.0, 0.5, 1.0]), 300)
    unknown = (np.ones((3, 3)) + np.eye(3)) / 4
    strength = VALIDATION_SHARE * 300 / 3
    assert prior[0] - unknown == pytest.approx(
        strength * np.array([[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 0]])
    )
    swapped = np.array([[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 0]])
    assert prior[1] - unknown == pytest.approx(strength / 2 * swapped)
    assert prior[2] == pytest.approx(unknown)


def test_a_class_without_validation_rows_is_unknown() -> None:
    source = profile(ROWS, "ab", np.array([[3, 1], [0, 0]]))
    prior = confusion_prior([source], "ab", np.array([1.0]), 100)
    assert prior[0, 1] == pytest.approx([1 / 3, 2 / 3])


def measured(**values: float | None) -> list[MeasureValue]:
    return [
        MeasureValue(name, 1, None if value is None else Estimate(value, 0, 1), "why not")
        for name, value in values.items()
    ]


def test_support_is_feature_coverage_or_else_coverage() -> None:
    assert support_of(measured(coverage=0.2, feature_coverage=0.7)) == 0.7
    assert support_of(measured(coverage=0.2, feature_coverage=None)) == 0.2
    assert support_of(measured(coverage=None, confidence=0.9)) is None


def test_votes_weigh_by_support_where_somebody_has_it() -> None:
    assert support_weights([0.8, 0.4, None, 0.0]) == pytest.approx([1, 1 / 8, 1, 0])
    assert support_weights([0.4, 0.1, None]).tolist() == [1, 1, 1]
    assert support_weights([None, None]).tolist() == [1, 1]
