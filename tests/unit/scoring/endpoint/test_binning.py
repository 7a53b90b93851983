"""Binning by batches, with segments, repeats and evictions, against bins that are given item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.evidence import TargetStatistics
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.binning import Binning
from sidecar.scoring.endpoint.target import TargetBins
from sidecar.scoring.endpoint.window import Slice
from tests.support.made_evidence import profile

DATA = np.random.default_rng(1).normal(size=(700, 2)).astype(np.float32)
SITES = np.array(["a", "b", "other"])[np.random.default_rng(2).integers(3, size=700)]
PROFILE = replace(
    profile(np.random.default_rng(3).normal(size=(300, 2))),
    inputs=(TensorSpec("x", "FP32", (2,)),),
    partition_rows=20,
)
NO_WORDS = np.empty(0, dtype=np.object_)


def give(binning: Binning, first_id: int, rows: Array) -> None:
    batch = Batch({"x": rows}, {})
    sites = SITES[first_id : first_id + len(rows)]
    segments = {site: np.flatnonzero(sites == site) for site in set(sites.tolist())}
    binning.add(Prepared(Slice(first_id, batch)), batch.inputs, segments)


def same(one: TargetStatistics | None, other: TargetStatistics) -> None:
    assert one is not None
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


steps = st.tuples(st.integers(1, 70), st.integers(0, 40), st.integers(0, 90))


@given(st.lists(steps, min_size=1, max_size=8))
def test_batches_repeats_and_evictions_leave_what_single_items_leave(
    taken: list[tuple[int, int, int]],
) -> None:
    """Batches of any size, each followed by one that begins again some items back."""
    binning = Binning(PROFILE)
    single: Mapping[str, TargetBins] = {name: TargetBins(PROFILE) for name in ("", "a", "b", "other")}
    sent = kept_from = 0
    for items, back, kept in taken:
        for start in (sent, max(sent - back, kept_from)):
            give(binning, start, DATA[start : start + items])
        for item in range(sent, sent + items):
            for name in ("", str(SITES[item])):
                single[name].add(np.array([item]), DATA[item : item + 1], NO_WORDS)
        sent += items
        kept_from = max(kept_from, sent - kept)
        binning.evict(kept_from, {"a", "b", "other"})
        for bins in single.values():
            bins.evict(kept_from)
        # A round may come after any batch.
        same(binning.target.statistics(), single[""].statistics())
        for name in binning.segments:
            same(binning.of_segment(name), single[name].statistics())


def test_a_segment_that_lost_its_name_leaves_with_its_items() -> None:
    binning = Binning(PROFILE)
    give(binning, 0, DATA[:60])
    binning.evict(60, {"a"})
    assert set(binning.segments) == {"a"}
    assert binning.of_segment("b") is None


def test_items_of_another_width_are_not_taken() -> None:
    binning = Binning(PROFILE)
    with pytest.raises(InvalidError, match="3 features and the profile 2"):
        give(binning, 0, np.ones((4, 3), dtype=np.float32))
    assert binning.target.statistics().items == 0
