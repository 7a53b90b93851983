from __future__ import annotations

import numpy as np
import pytest

from sidecar.estimation.measures.prior import confusion_prior
from tests.support.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(100, 1))


def test_the_prior_holds_the_validation_confusion_as_far_as_the_source_covers() -> None:
    confusion = np.array([[30, 10], [5, 15]])
    sources = [profile(ROWS, "ab", confusion), profile(ROWS, "ba", confusion), profile(ROWS, "ab")]
    prior = confusion_prior(sources, "abc", np.array([1.0, 0.5, 1.0]), 300)
    unknown = (np.ones((3, 3)) + np.eye(3)) / 4
    strength = 300 / 3
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


def test_a_candidate_without_a_profile_is_unknown() -> None:
    prior = confusion_prior([None], "ab", np.array([1.0]), 100)
    assert prior[0] == pytest.approx(np.array([[2, 1], [1, 2]]) / 3)
