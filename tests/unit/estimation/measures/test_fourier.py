from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sidecar.core.profile import FOURIER_FREQUENCIES
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.fourier import _frequencies, mean_fourier
from sidecar.estimation.measures.scale import deviations

RNG = np.random.default_rng(5)


def features_of(rows: Floats) -> Floats:
    """The features of each row, of a source with mean 0 and variance 1."""
    width = rows.shape[1]
    return np.stack([mean_fourier(row[None], np.zeros(width), np.ones(width)) for row in rows])


@pytest.mark.parametrize("width", [1, 3, 40])
def test_inner_products_are_gaussian_kernels(width: int) -> None:
    rows = RNG.normal(size=(60, width))
    found = features_of(rows)
    squares = ((rows[:, None] - rows) ** 2).sum(axis=2)
    kernel = np.exp(-squares / (2 * width))
    # Four standard errors of a mean of cosines.
    np.testing.assert_allclose(found @ found.T, kernel, atol=4 / (2 * FOURIER_FREQUENCIES) ** 0.5)
    np.testing.assert_allclose((found**2).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("width", [1, 7, 500])
def test_frequencies_are_normal_draws(width: int) -> None:
    drawn = _frequencies(width).ravel() * width**0.5
    assert kstest(drawn, "norm").pvalue > 0.01


def test_frequencies_stay_those_that_profiles_were_built_with() -> None:
    expected = [-0.46391043, 0.28785619, 0.63881373, 0.70665884]
    np.testing.assert_allclose(_frequencies(2)[0, :4], expected, rtol=1e-6)


@given(st.integers(1, 49), st.randoms(use_true_random=False))
def test_means_merge_by_their_rows_in_any_order(cut: int, random: object) -> None:
    rows = RNG.normal(2, 3, size=(50, 4))
    mean, variance = np.full(4, 1.5), np.array([1.0, 4.0, 9.0, 0.0])
    order = list(range(50))
    random.shuffle(order)  # type: ignore[attr-defined]
    parts = [mean_fourier(rows[order][part], mean, variance) for part in (slice(cut), slice(cut, None))]
    merged = (cut * parts[0] + (50 - cut) * parts[1]) / 50
    np.testing.assert_allclose(merged, mean_fourier(rows, mean, variance), atol=1e-6)


def test_rows_beyond_a_chunk_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = RNG.normal(size=(50, 4))
    whole = mean_fourier(rows, np.zeros(4), np.ones(4))
    monkeypatch.setattr("sidecar.estimation.measures.fourier._CHUNK_VALUES", 2 * FOURIER_FREQUENCIES * 7)
    np.testing.assert_allclose(mean_fourier(rows, np.zeros(4), np.ones(4)), whole, atol=1e-7)


def test_values_of_any_size_give_finite_features() -> None:
    rows = np.array([[3e38, -3e38], [0, 1e-38]], dtype=np.float32)
    assert np.isfinite(mean_fourier(rows, np.array([-3e38, 0]), np.array([1e-76, 0]))).all()


def test_features_that_hardly_vary_count_as_one_percent_of_the_usual() -> None:
    found = deviations(np.array([4.0, 0.0, 1e-12, 16.0, 9.0]))
    np.testing.assert_allclose(found, [2, 0.025, 0.025, 4, 3])
    np.testing.assert_array_equal(deviations(np.zeros(3)), np.ones(3))
