"""The counts against what their definitions give value by value, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.profile import BINS
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.histograms import feature_counts, pooled_counts, reference_counts

# More rows than add up in a byte, and more values than one block has.
SIZES = [(1, 1), (255, 3), (600, 70), (7, 40_000)]


def binned(value: float, low: float, high: float) -> int:
    return min(int((value - low) / (high - low if high > low else 1.0) * BINS), BINS - 1)


def pooled(rows: Array, low: Floats, high: Floats) -> list[int]:
    counts = [0] * (BINS + 2)
    for row in rows.astype(np.float64).tolist():
        for value, least, greatest in zip(row, low.tolist(), high.tolist(), strict=True):
            place = (
                0 if value < least else BINS + 1 if value > greatest else 1 + binned(value, least, greatest)
            )
            counts[place] += 1
    return counts


def drawn(seed: int, items: int, features: int) -> tuple[np.random.Generator, Array]:
    rng = np.random.default_rng(seed)
    # Few different values, so that many lie on a limit.
    return rng, (rng.integers(-40, 40, size=(items, features)) / 7).astype(np.float32)


def near(rng: np.random.Generator, limits: Floats) -> Floats:
    """Some of the limits moved by less than single precision can tell."""
    return np.asarray(limits * (1 + rng.choice([-1e-12, 0.0, 1e-12], size=limits.shape)))


@pytest.mark.parametrize(("items", "features"), SIZES)
def test_counts_of_any_size_are_those_of_each_value(items: int, features: int) -> None:
    rng, rows = drawn(0, items, features)
    low, high = np.sort(near(rng, rng.choice(rows.ravel(), size=(2, features)).astype(np.float64)), axis=0)
    np.testing.assert_array_equal(pooled_counts(rows, low, high), pooled(rows, low, high))
    whole = np.full(features, float(rows.min())), np.full(features, float(rows.max()))
    np.testing.assert_array_equal(reference_counts(rows), pooled(rows, *whole)[1:-1])
    edges = np.sort(near(rng, rng.choice(rows.ravel(), size=(features, 4)).astype(np.float64)), axis=1)
    edges[:, 0] = -10
    places = (rows.astype(np.float64)[:, :, None] > edges).sum(axis=2)
    expected = [(places == place).sum(axis=0) for place in range(5)]
    np.testing.assert_array_equal(feature_counts(rows, edges), np.stack(expected, axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 3))
def test_values_on_a_limit_fall_on_their_side_of_it(seed: int, items: int, features: int) -> None:
    rng, rows = drawn(seed, items, features)
    low, high = np.sort(near(rng, rng.choice(rows.ravel(), size=(2, features)).astype(np.float64)), axis=0)
    np.testing.assert_array_equal(pooled_counts(rows, low, high), pooled(rows, low, high))
    edges = near(rng, rows[:1].T.astype(np.float64))
    above = (rows.astype(np.float64) > edges.T).sum(axis=0)
    np.testing.assert_array_equal(feature_counts(rows, edges), np.stack([items - above, above], axis=1))


def test_limits_beyond_the_values_type_leave_all_values_on_one_side() -> None:
    rows = np.array([[3e38], [-3e38], [0]], dtype=np.float32)
    beyond = np.array([[-1e300, 1e300]])
    assert feature_counts(rows, beyond).tolist() == [[0, 3, 0]]
    assert pooled_counts(rows, beyond[:, 0], beyond[:, 1])[[0, -1]].tolist() == [0, 0]


def test_nothing_is_counted_without_edges() -> None:
    assert feature_counts(np.ones((3, 2), dtype=np.float32), np.empty((0, 11))).shape == (0, 12)
