"""One candidate at a time gives what the stacked array would, and no array is ever stacked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.class_shares import FEW_CLASSES, ClassShares, VotedShares, share_type
from sidecar.core.tensors import Array


def stacked(seed: int, candidates: int = 3, items: int = 7, classes: int = 4) -> Array:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), size=(candidates, items))


def assert_same(shares: ClassShares, array: Array) -> None:
    """Every way of reading gives what the array holds."""
    assert shares.shape == array.shape
    assert len(shares) == len(array)
    assert [one.tolist() for one in shares] == array.tolist()
    for candidate, expected in enumerate(array):
        assert (shares[candidate] == expected).all()
    assert (shares.votes == array.argmax(axis=2)).all()
    assert (shares.highest == array.max(axis=2)).all()


@given(
    st.integers(0, 9999),
    st.lists(st.integers(0, 2), max_size=4),
    st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_parts_of_parts_are_parts_of_the_array(seed: int, candidates: list[int], chosen: list[bool]) -> None:
    array, items = stacked(seed), np.array(chosen)
    for known in (False, True):
        shares = ClassShares.of_array(array)
        if known:
            assert_same(shares, array)
        assert_same(shares.where(items), array[:, items])
        assert_same(shares.of(candidates), array[candidates])
        assert_same(shares.of(candidates).where(items).held(), array[candidates][:, items])
        assert_same(shares.where(np.arange(7)[::-1]), array[:, ::-1])


@given(st.integers(0, 9999), st.sampled_from([3, FEW_CLASSES, FEW_CLASSES + 1]))
def test_votes_are_rows_with_a_single_one(seed: int, classes: int) -> None:
    votes = np.random.default_rng(seed).integers(classes, size=(2, 9))
    shares = ClassShares([VotedShares(one, classes) for one in votes], items=9, classes=classes)
    assert_same(shares, np.eye(classes)[votes])
    assert_same(shares.where(np.arange(9) > 3), np.eye(classes)[votes[:, 4:]])
    assert shares[0].dtype == share_type(classes)


def test_an_array_and_shares_are_taken_once() -> None:
    shares = ClassShares.of_array(stacked(0))
    assert ClassShares.of_array(shares) is shares


def test_numpy_cannot_stack_all_candidates_by_accident() -> None:
    with pytest.raises(TypeError, match="read one candidate at a time"):
        np.asarray(ClassShares.of_array(stacked(0)))


def test_a_candidate_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        ClassShares.of_array(stacked(0))[3]


def test_a_part_of_what_is_known_reads_nothing_anew() -> None:
    class Once:
        def __init__(self) -> None:
            self.reads = 0

        def read(self) -> Array:
            self.reads += 1
            return np.asarray(stacked(0)[0])

        def where(self, items: Array) -> Once:
            assert len(items)
            return self

    source = Once()
    shares = ClassShares([source], items=7, classes=4)
    assert shares.votes.shape == shares.highest.shape == (1, 7)
    assert shares.of([0]).where(np.arange(7) < 2).votes.shape == (1, 2)
    assert source.reads == 1
