from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from sidecar.accuracy.nearness import distances, nearness, shares_below
from tests.unit.measures.made_evidence import evidence, profile

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(600, 3))
LIVE = RNG.normal(size=(300, 3))
POOL = evidence([profile(TRAIN + shift) for shift in (3, 0, 1)], LIVE, np.full((3, 300, 2), 0.5), "ab")


def test_the_nearest_source_has_a_whole_vote_and_the_farthest_the_least() -> None:
    assert nearness(POOL) == pytest.approx([math.exp(-1), 1, math.exp(-0.5)])


def test_a_candidate_of_unknown_source_stands_in_the_middle() -> None:
    of = dataclasses.replace(
        POOL,
        profiles=(None, *POOL.profiles[1:]),
        targets=(None, *POOL.targets[1:]),
        thresholds=(None, *POOL.thresholds[1:]),
    )
    assert np.isinf(distances(of)).tolist() == [True, False, False]
    assert nearness(of) == pytest.approx([math.exp(-0.5), 1, math.exp(-1)])


def test_where_no_source_is_known_all_votes_count_the_same() -> None:
    nothing = (None,) * 3
    of = dataclasses.replace(POOL, profiles=nothing, targets=nothing, thresholds=nothing)
    assert len(set(nearness(of).tolist())) == 1


@given(st.lists(st.integers(0, 5), min_size=2, max_size=8))
def test_shares_below_are_average_ranks(values: list[int]) -> None:
    expected = (rankdata(values) - 1) / (len(values) - 1)
    assert shares_below(np.array(values, dtype=float)) == pytest.approx(expected)
