from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.clusters import cluster_centres, matched, nearest_centre

# Whole numbers: distances are exact, so that equally near ones are equal for both sides.
POINTS = arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(-9, 9))


def blobs(kinds: int, items: int = 400, seed: int = 0) -> tuple[Floats, Array]:
    """Items of kinds that lie twelve deviations apart or more."""
    rng = np.random.default_rng(seed)
    kind = np.arange(items) % kinds
    places = 12.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    return places[kind] + rng.normal(size=(items, 3)), kind


@given(POINTS, POINTS)
def test_the_nearest_centre_is_that_of_all_distances(rows: Floats, centres: Floats) -> None:
    np.testing.assert_array_equal(nearest_centre(rows, centres), cdist(rows, centres).argmin(axis=1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kinds", [1, 2, 3, 4])
def test_kinds_that_lie_apart_are_found_and_no_more(kinds: int, seed: int) -> None:
    rows, kind = blobs(kinds, seed=seed)
    centres = cluster_centres(rows, 4, np.random.default_rng(seed))
    assert len(centres) == kinds
    means = np.stack([rows[kind == one].mean(axis=0) for one in range(kinds)])
    np.testing.assert_allclose(centres[nearest_centre(means, centres)], means)


@pytest.mark.parametrize(("items", "kinds"), [(4, 1), (40, 2)])
def test_a_few_odd_items_are_no_kind(items: int, kinds: int) -> None:
    rows, _ = blobs(1)
    rows[:items] += 30
    assert len(cluster_centres(rows, 4, np.random.default_rng(0))) == kinds


def test_there_are_no_more_centres_than_asked_for() -> None:
    rows, _ = blobs(4)
    assert [len(cluster_centres(rows, most, np.random.default_rng(0))) for most in (1, 4)] == [1, 4]


@pytest.mark.parametrize("rows", [np.ones((300, 3)), np.ones((2, 1)), np.zeros((3, 2))])
def test_equal_items_are_one_kind(rows: Floats) -> None:
    np.testing.assert_array_equal(cluster_centres(rows, 4, np.random.default_rng(0)), rows[:1])


def test_the_order_of_the_items_changes_nothing() -> None:
    rows, _ = blobs(3)
    centres = cluster_centres(rows, 4, np.random.default_rng(0))
    shuffled = np.random.default_rng(1).permutation(rows)
    again = cluster_centres(shuffled, 4, np.random.default_rng(2))
    assert sorted(matched(again, centres)) == [0, 1, 2]
    np.testing.assert_allclose(again, centres[matched(again, centres)])


@given(POINTS, POINTS)
def test_pairs_are_those_that_one_by_one_are_nearest(centres: Floats, known: Floats) -> None:
    answer = matched(centres, known)
    distances = {
        (one, other): int(((centres[one] - known[other]) ** 2).sum())
        for one in range(len(centres))
        for other in range(len(known))
    }
    expected = np.full(len(centres), -1)
    while distances:
        one, other = min(distances, key=lambda pair: (distances[pair], pair))
        expected[one] = other
        distances = {pair: value for pair, value in distances.items() if pair[0] != one and pair[1] != other}
    np.testing.assert_array_equal(answer, expected)
