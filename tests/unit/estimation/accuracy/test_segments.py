from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.segments import MAX_SEGMENTS, _company, agreement_segments
from tests.support.made_evidence import noisy

CLASSES = 8


def mixed(seed: int) -> tuple[Array, Array]:
    """Votes on easy items, and on items where all but one candidate answer one wrong class together."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=1200)
    kind = rng.integers(2, size=1200)
    votes = np.stack([noisy(truth, 0.95, CLASSES, rng) for _ in range(6)])
    fooled = noisy(np.full(1200, 3), 0.8, CLASSES, rng)
    for candidate in range(5):
        own = np.where(rng.random(1200) < 0.9, fooled, rng.integers(CLASSES, size=1200))
        votes[candidate] = np.where(kind == 1, own, votes[candidate])
    return votes, kind


def found(votes: Array, seed: int = 0, min_items: int = 20) -> Array | None:
    return agreement_segments(votes, CLASSES, min_items, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_segments_hold_one_kind_of_traffic_each(seed: int) -> None:
    votes, kind = mixed(seed)
    segments = found(votes)
    assert segments is not None
    shares = [kind[segments == number].mean() for number in range(MAX_SEGMENTS)]
    pure = sum((segments == number).sum() * max(share, 1 - share) for number, share in enumerate(shares))
    assert pure / len(kind) > 0.8


def test_larger_segments_come_first() -> None:
    segments = found(mixed(0)[0])
    assert segments is not None
    assert (np.diff(np.bincount(segments)) <= 0).all()


@settings(max_examples=10)
@given(st.integers(0, 999))
def test_the_order_of_items_and_names_of_classes_change_nothing(seed: int) -> None:
    votes, _ = mixed(1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(votes.shape[1])
    one, other = found(votes), found(votes[:, order])
    assert one is not None
    assert other is not None
    assert (one[order] == other).all()


def test_company_is_the_share_of_others_that_answer_the_same() -> None:
    votes = np.random.default_rng(0).integers(3, size=(5, 40))
    expected = [
        [(votes[:, item] == votes[candidate, item]).sum() - 1 for candidate in range(5)] for item in range(40)
    ]
    assert _company(votes, 3) == pytest.approx(np.array(expected) / 4)


@pytest.mark.parametrize(
    ("candidates", "items", "classes"), [(2, 500, 8), (5, 500, 2), (5, 79, 8), (5, 0, 8)]
)
def test_too_few_candidates_classes_or_items_have_no_segments(
    candidates: int, items: int, classes: int
) -> None:
    votes = np.random.default_rng(0).integers(classes, size=(candidates, items))
    assert agreement_segments(votes, classes, 20, np.random.default_rng(0)) is None


def test_candidates_that_always_agree_have_no_segments() -> None:
    assert found(np.tile(np.arange(200) % CLASSES, (4, 1))) is None
