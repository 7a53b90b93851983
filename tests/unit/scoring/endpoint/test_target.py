from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sidecar.estimation.measures.fourier import mean_fourier
from sidecar.estimation.measures.histograms import feature_counts, pooled_counts, reference_counts
from sidecar.estimation.measures.shift import standardised_shift
from sidecar.estimation.measures.words import word_counts
from sidecar.scoring.endpoint.target import TargetBins
from tests.support.made_evidence import ROWS, profile

DATA = np.random.default_rng(1).normal(size=(3 * ROWS + 50, 3)).astype(np.float32)
NO_WORDS = np.empty(0, dtype=np.object_)
PROFILE = profile(np.random.default_rng(2).normal(size=(300, 3)))


@given(st.lists(st.integers(1, 120), min_size=1, max_size=20))
def test_partitions_are_those_of_the_rows_in_order_however_they_arrive(sizes: list[int]) -> None:
    bins = TargetBins(PROFILE)
    sent = 0
    for size in sizes:
        rows = DATA[sent : sent + size]
        if len(rows):
            bins.add(sent + np.arange(len(rows)), rows, NO_WORDS)
        sent += len(rows)
    found = bins.statistics()
    parts = [DATA[start : start + ROWS] for start in range(0, sent - ROWS + 1, ROWS)]
    assert len(found.reference) == len(parts)
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(found.reference[index], reference_counts(part))
        np.testing.assert_array_equal(found.pooled[index], pooled_counts(part, PROFILE.low, PROFILE.high))
        np.testing.assert_array_equal(
            found.feature_counts[index], feature_counts(part, PROFILE.feature_edges)
        )
        mean = part.mean(axis=0, dtype=np.float64)
        assert found.shifts[index] == standardised_shift(mean, PROFILE.mean, PROFILE.variance)
        fourier = mean_fourier(part, PROFILE.mean, PROFILE.variance)
        np.testing.assert_allclose(found.fourier[index], fourier, atol=1e-6)
    seen = DATA[:sent]
    assert found.items == len(seen)
    np.testing.assert_array_equal(found.histogram, feature_counts(seen, PROFILE.feature_edges))
    np.testing.assert_allclose(found.mean, seen.mean(axis=0, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(found.variance, seen.var(axis=0, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(found.low, seen.min(axis=0))
    outside = ((seen < PROFILE.low) | (seen > PROFILE.high)).mean(axis=0)
    np.testing.assert_allclose(found.outside, outside)


def test_a_partition_leaves_with_its_first_item() -> None:
    bins = TargetBins(PROFILE)
    bins.add(np.arange(len(DATA)), DATA, NO_WORDS)
    bins.evict(0)
    assert len(bins.statistics().reference) == 3
    bins.evict(1)
    assert len(bins.statistics().reference) == 2
    bins.evict(1000)
    assert len(bins.statistics().reference) == 0
    assert bins.statistics().items == 0


def test_the_open_partition_holds_no_more_than_the_window() -> None:
    bins = TargetBins(PROFILE)
    bins.add(np.arange(60), DATA[:60], NO_WORDS)
    bins.evict(30)
    bins.add(60 + np.arange(ROWS), DATA[:ROWS], NO_WORDS)
    found = bins.statistics()
    assert found.items == 30 + ROWS
    kept = np.concatenate([DATA[30:60], DATA[: ROWS - 30]])
    np.testing.assert_array_equal(found.reference, [reference_counts(kept)])


def test_waiting_rows_leave_one_by_one() -> None:
    bins = TargetBins(PROFILE)
    ids = 3 * np.arange(60)
    bins.add(ids[:40], DATA[:40], NO_WORDS)
    bins.add(ids[40:], DATA[40:60], NO_WORDS)
    for before_id in (0, 1, 30, 121, 178):
        bins.evict(before_id)
        left = DATA[:60][ids >= before_id]
        found = bins.statistics()
        assert found.items == len(left)
        np.testing.assert_array_equal(found.mean, left.mean(axis=0, dtype=np.float64) if len(left) else 0)


@given(st.lists(st.integers(1, 120), min_size=1, max_size=8))
def test_words_are_counted_by_the_partition_their_item_falls_in(sizes: list[int]) -> None:
    source = replace(PROFILE, words=("w0", "w3"), word_counts=np.ones((3, 2), dtype=np.int32))
    words = np.empty(len(DATA), dtype=np.object_)
    words[:] = [[f"w{item % 5}", "w3"] for item in range(len(DATA))]
    bins = TargetBins(source)
    sent = 0
    for size in sizes:
        if len(DATA[sent : sent + size]):
            ids = np.arange(sent, min(sent + size, len(DATA)))
            bins.add(ids, DATA[ids], words[ids])
        sent = min(sent + size, len(DATA))
    parts = [words[start : start + ROWS] for start in range(0, sent - ROWS + 1, ROWS)]
    found = bins.statistics().words
    assert found.tolist() == [word_counts(part, source.words).tolist() for part in parts]


def test_what_the_profile_lacks_is_not_sketched() -> None:
    bins = TargetBins(replace(PROFILE, fourier=np.empty(0)))
    bins.add(np.arange(len(DATA)), DATA, NO_WORDS)
    found = bins.statistics()
    assert (found.fourier.shape, found.words.shape) == ((3, 0), (3, 0))
