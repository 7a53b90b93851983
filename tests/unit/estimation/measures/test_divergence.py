from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.estimation.measures.divergence import jsd, matches, pairwise_jsd

BINS = 6


def histograms(rows: int) -> st.SearchStrategy[Array]:
    values = arrays(np.int64, (rows, BINS), elements=st.integers(0, 40))
    return values.filter(lambda counts: bool((counts.sum(axis=1) > 0).all()))


@given(histograms(2))
def test_jsd_is_scipys(counts: Array) -> None:
    oracle = jensenshannon(counts[0], counts[1]) ** 2
    assert jsd(counts[0], counts[1]) == pytest.approx(oracle, abs=1e-7)


@given(histograms(2))
def test_jsd_is_symmetric_bounded_and_blind_to_totals(counts: Array) -> None:
    value = jsd(counts[0], counts[1])
    assert 0 <= value <= math.log(2)
    assert jsd(counts[1], counts[0]) == pytest.approx(value, abs=1e-15)
    assert jsd(counts[0] * 7, counts[1]) == pytest.approx(value, abs=1e-14)
    assert jsd(counts[0], counts[0]) == 0


def test_disjoint_histograms_are_ln2_apart() -> None:
    assert jsd(np.array([3, 0]), np.array([0, 9])) == pytest.approx(math.log(2))


@given(histograms(5), histograms(4), st.floats(0, 0.8))
def test_matches_are_those_of_the_plain_definition(sources: Array, targets: Array, tau: float) -> None:
    plain = [[bool(jsd(source, target) < tau) for target in targets] for source in sources]
    assert matches(sources, targets, tau).tolist() == plain


@given(histograms(5), histograms(4), st.data())
def test_a_threshold_equal_to_a_divergence_is_not_matched(
    sources: Array, targets: Array, data: st.DataObject
) -> None:
    all_values = jsd(sources[:, None], targets)
    tau = data.draw(st.sampled_from(sorted(all_values.ravel().tolist())))
    assert matches(sources, targets, tau).tolist() == (all_values < tau).tolist()


@given(histograms(3), histograms(2), arrays(np.float64, 3, elements=st.floats(0, 0.7)))
def test_each_source_may_have_its_own_threshold(sources: Array, targets: Array, tau: Array) -> None:
    rows = [matches(sources[[index]], targets, float(tau[index]))[0].tolist() for index in range(3)]
    assert matches(sources, targets, tau).tolist() == rows


def test_every_chunk_is_compared() -> None:
    rng = np.random.default_rng(0)
    sources = rng.multinomial(300, rng.dirichlet(np.ones(100), size=2000))
    targets = rng.multinomial(300, rng.dirichlet(np.ones(100), size=7))
    values = jsd(sources[:, None], targets)
    tau = float(np.median(values))
    assert (matches(sources, targets, tau) == (values < tau)).all()


def test_memory_does_not_grow_with_the_pairs() -> None:
    rng = np.random.default_rng(0)
    sources = rng.integers(1, 9, size=(20_000, 100), dtype=np.int8)
    targets = rng.integers(1, 9, size=(20, 100), dtype=np.int8)
    tracemalloc.start()
    matches(sources, targets, 0.08)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_no_targets_match_nothing() -> None:
    assert matches(np.ones((3, 4)), np.zeros((0, 4)), 0.1).shape == (3, 0)


def test_an_empty_histogram_is_refused() -> None:
    with pytest.raises(InvalidError, match="empty"):
        matches(np.ones((1, 2)), np.zeros((1, 2)), 0.1)


@given(histograms(4))
def test_pairwise_takes_each_pair_once(counts: Array) -> None:
    expected = [float(jsd(counts[i], counts[j])) for i in range(4) for j in range(i + 1, 4)]
    assert pairwise_jsd(counts).tolist() == expected


def test_one_histogram_has_no_pairs() -> None:
    assert pairwise_jsd(np.ones((1, 3))).shape == (0,)
