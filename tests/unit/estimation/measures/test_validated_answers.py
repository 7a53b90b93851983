"""Measures that compare a candidate's answers with its own validation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from sidecar.core.evidence import Evidence
from sidecar.core.profile import Validation
from sidecar.core.tensors import Array
from sidecar.estimation.measures.cbpe import calibration_curve
from sidecar.estimation.measures.interval import mean_estimate
from sidecar.estimation.measures.table import measure_all
from tests.support.made_answers import labelled, measured, validated, values
from tests.support.made_evidence import evidence, profile

ROWS = np.random.default_rng(0).normal(size=(200, 2))
SEEDS = st.integers(0, 9999)
# As many as the profile keeps quantiles: then these are the sorted confidences themselves.
VALIDATED = 101


def one_candidate(seed: int, items: int = 30) -> tuple[Evidence, Array, Array]:
    """A candidate of three classes, and its confidences and hits on the validation rows."""
    rng = np.random.default_rng(seed)
    shares, truth = labelled(3, VALIDATED, 1.3, rng)
    live, _ = labelled(3, items, 1.0, rng)
    of = evidence([validated(shares, truth, "abc")], ROWS, live[None], "abc")
    return of, shares.max(axis=1), shares.argmax(axis=1) == truth


def confused(confusion: Array, votes: Array) -> Evidence:
    labels = "abcde"[: len(confusion)]
    return evidence([profile(ROWS, labels, confusion)], ROWS, np.eye(len(labels))[votes][None], labels)


@given(SEEDS)
def test_source_accuracy_is_that_of_the_validation_rows(seed: int) -> None:
    of, _, hits = one_candidate(seed)
    (found,) = measured(of, "source_accuracy")
    assert (found.low, found.high) == pytest.approx(
        (mean_estimate(hits, (0, 1)).low, mean_estimate(hits, (0, 1)).high)
    )
    assert found.value == pytest.approx(hits.mean())


@given(SEEDS)
def test_doc_moves_the_accuracy_by_the_difference_of_mean_confidences(seed: int) -> None:
    of, confidences, hits = one_candidate(seed)
    moved = hits.mean() + of.probabilities[0].max(axis=1).mean() - confidences.mean()
    assert values(of, "doc") == pytest.approx([np.clip(moved, 0, 1)])


@given(SEEDS)
def test_atc_is_the_share_above_the_threshold_that_errs_as_often_as_the_validation(seed: int) -> None:
    of, confidences, hits = one_candidate(seed)
    threshold = np.quantile(confidences, 1 - hits.mean())
    assert (confidences < threshold).mean() == pytest.approx(1 - hits.mean(), abs=1 / VALIDATED)
    expected = (of.probabilities[0].max(axis=1) >= threshold - 1e-6).mean()
    assert values(of, "atc") == pytest.approx([expected])


def test_atc_of_a_confidence_that_many_share_counts_them_all() -> None:
    rng = np.random.default_rng(0)
    shares = np.tile([0.9, 0.1], (VALIDATED, 1))
    of = evidence([validated(shares, rng.integers(2, size=VALIDATED), "ab")], ROWS, shares[None, :20], "ab")
    rounded = dataclasses.replace(of, probabilities=shares[None, :20] - np.array([1e-8, -1e-8]))
    assert values(rounded, "atc") == [1]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=2, max_size=15))
def test_calibration_is_scikit_learns_isotonic_regression(bins: list[tuple[int, float]]) -> None:
    middles = (np.arange(len(bins)) + 0.5) / len(bins)
    calibration = np.array(
        [[rows, middle, share] for (rows, share), middle in zip(bins, middles, strict=True)]
    )
    kept = calibration[calibration[:, 0] > 0]
    if not len(kept):
        return
    confidence, fitted = calibration_curve(Validation(1, np.eye(2), np.zeros(2), calibration))
    oracle = IsotonicRegression().fit(kept[:, 1], kept[:, 2], sample_weight=kept[:, 0])
    assert confidence.tolist() == kept[:, 1].tolist()
    assert fitted == pytest.approx(oracle.predict(kept[:, 1]), abs=1e-9)


@given(SEEDS)
def test_cbpe_is_the_mean_calibrated_confidence(seed: int) -> None:
    of, _, _ = one_candidate(seed)
    calibration = of.validations[0].calibration
    kept = calibration[calibration[:, 0] > 0]
    oracle = IsotonicRegression(out_of_bounds="clip").fit(kept[:, 1], kept[:, 2], sample_weight=kept[:, 0])
    expected = oracle.predict(of.probabilities[0].max(axis=1)).mean()
    assert values(of, "cbpe") == pytest.approx([expected])


def test_cbpe_sees_through_overconfidence() -> None:
    rng = np.random.default_rng(0)
    shares, truth = labelled(3, 4000, 3.0, rng)
    live, live_truth = labelled(3, 2000, 3.0, rng)
    of = evidence([validated(shares, truth, "abc")], ROWS, live[None], "abc")
    right = (live.argmax(axis=1) == live_truth).mean()
    assert values(of, "confidence")[0] > right + 0.05
    assert values(of, "cbpe") == pytest.approx([right], abs=0.03)


@given(SEEDS)
def test_bbse_finds_the_class_shares_that_made_the_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Mostly right, so that the classes can be told apart.
    confusion = rng.integers(1, 5, (3, 3)) + np.diag(rng.integers(20, 60, 3))
    recalls = confusion / confusion.sum(axis=1, keepdims=True)
    # Every validation row of a class comes so many times: the answers have exactly the shares that
    # this mixture of the classes promises.
    times = rng.integers(1, 9, 3)
    votes = np.repeat(np.arange(3), times @ confusion)
    shares = times * confusion.sum(axis=1) / len(votes)
    assert values(confused(confusion, votes), "bbse") == pytest.approx([shares @ np.diag(recalls)])


def test_bbse_cuts_shares_off_that_would_be_negative() -> None:
    confusion = np.array([[90, 10], [10, 90]])
    assert values(confused(confusion, np.zeros(50, dtype=int)), "bbse") == [0.9]


def test_bbse_of_a_class_without_validation_rows_leaves_it_out() -> None:
    confusion = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    assert values(confused(confusion, np.array([0, 1] * 10)), "bbse") == pytest.approx([0.85], abs=0.02)


def test_bbse_of_answers_that_no_validated_class_explains_has_a_reason() -> None:
    confusion = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    found = measure_all(confused(confusion, np.full(9, 2)), ["bbse"])[0][0]
    assert found.estimate is None
    assert "no mixture" in found.reason
