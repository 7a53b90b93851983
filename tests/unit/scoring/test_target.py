from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sidecar.measures.histograms import feature_counts, pooled_counts, reference_counts
from sidecar.scoring.target import TargetBins
from tests.unit.measures.made_evidence import ROWS, profile

DATA = np.random.default_rng(1).normal(size=(3 * ROWS + 50, 3)).astype(np.float32)
PROFILE = profile(np.random.default_rng(2).normal(size=(300, 3)))


@given(st.lists(st.integers(1, 120), min_size=1, max_size=20))
def test_partitions_are_those_of_the_rows_in_order_however_they_arrive(sizes: list[int]) -> None:
    bins = TargetBins(PROFILE)
    sent = 0
    for size in sizes:
        rows = DATA[sent : sent + size]
        if len(rows):
            bins.add(sent, rows)
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
    seen = np.concatenate(parts) if parts else DATA[:sent]
    assert found.items == len(seen)
    np.testing.assert_allclose(found.mean, seen.mean(axis=0, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(found.low, seen.min(axis=0))
    outside = ((seen < PROFILE.low) | (seen > PROFILE.high)).mean(axis=0)
    np.testing.assert_allclose(found.outside, outside)


def test_a_partition_leaves_with_its_first_item() -> None:
    bins = TargetBins(PROFILE)
    bins.add(0, DATA)
    bins.evict(0)
    assert len(bins.statistics().reference) == 3
    bins.evict(1)
    assert len(bins.statistics().reference) == 2
    bins.evict(1000)
    assert len(bins.statistics().reference) == 0
    assert bins.statistics().items == 0


def test_the_open_partition_holds_no_more_than_the_window() -> None:
    bins = TargetBins(PROFILE)
    bins.add(0, DATA[:60])
    bins.evict(30)
    bins.add(60, DATA[:ROWS])
    assert bins.statistics().items == ROWS
    assert len(bins.statistics().reference) == 1
