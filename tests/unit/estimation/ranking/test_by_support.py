from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.ranking import Ranking, State
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.support import Support
from sidecar.estimation.ranking.by_support import NO_CLASSES, support_ranks
from sidecar.estimation.ranking.order import RankSettings, rank
from tests.support.made_evidence import evidence, profile

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(600, 3))
LIVE = RNG.normal(size=(400, 3))
COVERAGES = st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
DISTANCES = st.one_of(st.just(math.inf), st.sampled_from([0.1, 0.3, 1.0, 7.0]))


def ranks(coverage: Sequence[float | None], distances: Sequence[float]) -> list[int]:
    support = Support(tuple(coverage), np.array(distances), np.full(len(distances), np.nan))
    return [int(one) for one in support_ranks(support)]


def of(*shifts: float, items: int = 400) -> Evidence:
    """Candidates without classes whose sources lie that far from the traffic."""
    profiles = [profile(TRAIN + shift, ()) for shift in shifts]
    return evidence(profiles, LIVE[:items], np.zeros((len(shifts), items, 0)), ())


def made(found: Evidence, names: str, segments: Sequence[SegmentEvidence] = ()) -> Ranking:
    rng = np.random.default_rng(0)
    return rank(
        list(names), found, unavailable={"z": "gone"}, rng=rng, settings=RankSettings(), segments=segments
    )


def lines(ranking: Ranking) -> list[tuple[str, int, State]]:
    return [(one.name, one.rank, one.state) for one in ranking.candidates]


def test_the_nearest_source_that_covers_most_is_first() -> None:
    assert ranks([0.2, 0.9, 0.5], [2.0, 0.1, 0.7]) == [3, 1, 2]


def test_nearness_and_coverage_weigh_the_same() -> None:
    assert ranks([0.9, 0.2], [2.0, 0.1]) == [1, 1]
    assert ranks([0.9, 0.2, 0.5], [0.3, 0.1, 2.0]) == [1, 2, 3]


def test_where_one_of_the_two_is_unknown_the_other_counts_alone() -> None:
    assert ranks([None, None, None], [2.0, 0.1, 0.7]) == [3, 1, 2]
    assert ranks([0.1, 0.9], [math.inf, math.inf]) == [2, 1]
    assert ranks([None, 0.9, 0.2], [0.1, 0.5, 1.0]) == [1, 2, 3]


def test_a_candidate_of_which_nothing_is_known_has_no_rank_and_one_alone_is_first() -> None:
    assert ranks([0.1, None, 0.9], [1.0, math.inf, 0.5]) == [2, 0, 1]
    assert ranks([0.5], [1.0]) == ranks([None], [1.0]) == ranks([0.5], [math.inf]) == [1]
    assert ranks([None], [math.inf]) == [0]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([0.1, 1.0, 7.0])), min_size=1))
def test_where_all_is_known_the_order_is_that_of_scipys_mean_ranks(known: list[tuple[float, float]]) -> None:
    coverage, distances = (list(values) for values in zip(*known, strict=True))
    means = rankdata(distances) + rankdata([-one for one in coverage])
    assert ranks(coverage, distances) == rankdata(means, method="min").tolist()


@given(st.lists(st.tuples(COVERAGES, DISTANCES), min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_candidates_changes_no_rank(
    known: list[tuple[float | None, float]], random: Random
) -> None:
    order = list(range(len(known)))
    random.shuffle(order)
    found = ranks(*zip(*known, strict=True))
    shuffled = ranks(*zip(*(known[index] for index in order), strict=True))
    assert shuffled == [found[index] for index in order]
    ranked = sorted(one for one in found if one)
    assert ranked[:1] == [1] * bool(ranked)
    assert [one > 0 for one in found] == [one is not None or far < math.inf for one, far in known]


@given(st.lists(st.tuples(COVERAGES, DISTANCES), min_size=2, max_size=6), st.integers(0, 5))
def test_who_comes_nearer_loses_no_rank(known: list[tuple[float | None, float]], chosen: int) -> None:
    chosen %= len(known)
    if known[chosen][1] == math.inf:
        return
    coverage, distances = ([*values] for values in zip(*known, strict=True))
    nearer = [far / 2 if index == chosen else far for index, far in enumerate(distances)]
    assert ranks(coverage, nearer)[chosen] <= ranks(coverage, distances)[chosen]


def test_candidates_without_classes_are_ordered_and_nothing_is_estimated() -> None:
    found = made(of(0.3, 0.0, 0.15), "abc")
    assert (found.state, found.reason) == NO_CLASSES
    assert found.items == 400
    assert [(one.name, one.rank) for one in found.candidates] == [("b", 1), ("c", 2), ("a", 3), ("z", 0)]
    for one in found.candidates[:-1]:
        assert (one.state, one.reason, one.accuracy, one.p_best) == (*NO_CLASSES, None, None)
        known = {value.name for value in one.measures if value.estimate is not None}
        assert {"coverage", "moment_shift", "jsd"} <= known
        assert "agreement" not in known
    assert "estimated" in found.reason


def test_the_order_in_which_they_come_changes_nothing() -> None:
    evidence_of = of(0.3, 0.0, 0.15)
    expected = made(evidence_of, "abc")
    for order in permutations(range(3)):
        assert made(evidence_of.of(order), "".join("abc"[index] for index in order)) == expected


def test_copies_share_a_rank() -> None:
    assert [(one.name, one.rank) for one in made(of(0.5, 0.0, 0.0), "abc").candidates[:-1]] == [
        ("b", 1),
        ("c", 1),
        ("a", 3),
    ]


def test_a_stranger_is_out_of_support_and_so_is_a_ranking_of_strangers() -> None:
    found = made(of(0.0, 20.0), "ab")
    assert found.state is State.INSUFFICIENT_DATA
    assert lines(found)[:2] == [("a", 1, State.INSUFFICIENT_DATA), ("b", 2, State.OUT_OF_SUPPORT)]
    assert found.candidates[1].reason.startswith("0% of the traffic's values")
    assert made(of(30.0, 20.0), "ab").state is State.OUT_OF_SUPPORT


def test_one_candidate_is_first() -> None:
    assert lines(made(of(0.0), "a"))[0] == ("a", 1, State.INSUFFICIENT_DATA)


@pytest.mark.parametrize("items", [0, 49])
def test_too_few_items_rank_nobody(items: int) -> None:
    found = made(of(0.0, 1.0, items=items), "ab")
    assert found.state is State.INSUFFICIENT_DATA
    assert f"{items} items" in found.reason
    assert [one.rank for one in found.candidates] == [0, 0, 0]


def test_where_nothing_is_known_of_the_sources_nobody_is_ranked() -> None:
    nothing = (None, None)
    found = made(Evidence(nothing, nothing, nothing, (), np.zeros((2, 60, 0))), "ab")
    assert [one.rank for one in found.candidates] == [0, 0, 0]
    assert "not known" in found.candidates[0].reason


def test_each_segment_has_its_own_order() -> None:
    whole = of(0.0, 3.0)
    here = np.arange(400) < 200
    there = evidence(list(filter(None, whole.profiles)), LIVE[200:] + 3, np.zeros((2, 200, 0)), ())
    segments = [
        SegmentEvidence("here", "", here, of(0.0, 3.0, items=200).targets),
        SegmentEvidence("there", "", ~here, there.targets),
        SegmentEvidence("few", "", np.zeros(400, dtype=bool), (None, None)),
    ]
    found = {one.name: one.ranking for one in made(whole, "ab", segments).segments}
    assert [found[name].candidates[0].name for name in ("here", "there")] == ["a", "b"]
    assert found["few"].candidates[0].rank == 0


def test_no_answer_holds_a_nan() -> None:
    constant = profile(np.ones((300, 2)), ())
    shares: Array = np.zeros((2, 60, 0))
    for one in made(evidence([constant] * 2, np.ones((60, 2)), shares, ()), "ab").candidates:
        for value in one.measures:
            assert value.estimate is not None or value.reason
            ends = [value.estimate.value, value.estimate.low, value.estimate.high] if value.estimate else []
            assert all(math.isfinite(end) for end in ends)
