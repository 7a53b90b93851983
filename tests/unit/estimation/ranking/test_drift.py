from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, rankdata

from sidecar.core.errors import InvalidError
from sidecar.core.ranking import Estimate
from sidecar.estimation.ranking.drift import (
    Agreement,
    Movement,
    Overtaking,
    Revision,
    drift,
    kendall_tau_b,
    rank_biased_overlap,
)

Ranks = dict[str, int]


def ranks(scores: dict[str, int]) -> Ranks:
    return dict(zip(scores, rankdata([*scores.values()], method="min").astype(int).tolist(), strict=True))


RANKS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5)).map(ranks)
RANKED = RANKS.filter(bool)
P = st.floats(0.05, 0.95)


def revision(order: str, **objectives: dict[str, Estimate]) -> Revision:
    """Candidates by name, best first, with objectives by candidate."""
    return Revision({name: place for place, name in enumerate(order, start=1)}, objectives)


def sure_within(value: float, half_width: float) -> Estimate:
    return Estimate(value, value - half_width, value + half_width)


def overlap_by_definition(first: Ranks, second: Ranks, p: float) -> float:
    """The infinite sum, cut where what is left is nothing."""
    total = 0.0
    for depth in range(1, math.ceil(math.log(1e-13) / math.log(p)) + 1):
        here, there = ({name for name, rank in one.items() if rank <= depth} for one in (first, second))
        total += (1 - p) * p ** (depth - 1) * 2 * len(here & there) / (len(here) + len(there))
    return total


@given(RANKS, RANKS)
def test_tau_b_is_that_of_scipy(first: Ranks, second: Ranks) -> None:
    joint = sorted(first.keys() & second.keys())
    found = kendall_tau_b(first, second)
    places = [[one[name] for name in joint] for one in (first, second)]
    if min(len(set(one)) for one in places) < 2:
        assert found.value is None
        assert found.reason
    else:
        assert found.value == pytest.approx(kendalltau(*places).statistic, abs=1e-12)
        assert not found.reason


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({}, {}, "fewer than two"),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2, "b": 0}, "fewer than two"),
        ({"a": 1, "b": 1}, {"a": 1, "b": 2}, "tied"),
    ],
)
def test_where_there_is_no_tau_the_reason_is_said(first: Ranks, second: Ranks, why: str) -> None:
    assert kendall_tau_b(first, second).value is None
    assert why in kendall_tau_b(first, second).reason


@given(RANKED, RANKED, P)
def test_rank_biased_overlap_is_the_infinite_sum_that_defines_it(
    first: Ranks, second: Ranks, p: float
) -> None:
    found = rank_biased_overlap(first, second, p).value
    assert found == pytest.approx(overlap_by_definition(first, second, p), abs=1e-9)


def test_rank_biased_overlap_without_ties_is_webbers_extrapolation() -> None:
    first, second = revision("abcd").ranks, revision("bacx").ranks
    p, common = 0.9, [0, 2, 3, 3]
    seen = sum(shared / depth * p**depth for depth, shared in enumerate(common, start=1))
    expected = common[-1] / 4 * p**4 + (1 - p) / p * seen
    assert rank_biased_overlap(first, second, p).value == pytest.approx(expected)


@given(RANKED, RANKED, P)
def test_overlap_is_symmetric_and_1_only_for_the_same_ranking(first: Ranks, second: Ranks, p: float) -> None:
    one = rank_biased_overlap(first, second, p).value
    assert one is not None
    assert -1e-12 <= one <= 1 + 1e-12
    assert one == pytest.approx(rank_biased_overlap(second, first, p).value)
    assert (one > 1 - 1e-9) == (first == second)


def test_a_change_at_the_top_costs_more_overlap_than_one_below() -> None:
    before = revision("abcdef").ranks
    found = [rank_biased_overlap(before, revision(order).ranks).value or 0 for order in ("bacdef", "abcdfe")]
    assert found[0] < found[1] < 1


@given(RANKED, RANKED)
def test_only_the_order_of_ranks_counts(first: Ranks, second: Ranks) -> None:
    wide = {name: 3 * rank + 4 for name, rank in first.items()}
    one, other = (drift(Revision(ranked, {}), Revision(second, {})) for ranked in (first, wide))
    assert one == other


def test_who_is_not_ranked_counts_for_nothing_and_nobody_ranked_has_no_overlap() -> None:
    known = {"a": 1, "b": 2}
    assert rank_biased_overlap(known, {**known, "gone": 0}).value == pytest.approx(1)
    assert rank_biased_overlap(known, {"x": 1}).value == 0
    assert rank_biased_overlap(known, {"x": 0}) == Agreement(None, "nobody is ranked in one of them")


@pytest.mark.parametrize("p", [0.0, 1.0, math.nan])
def test_a_persistence_that_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(InvalidError, match="between 0 and 1"):
        rank_biased_overlap({"a": 1}, {"a": 1}, p)


def test_drift_tells_the_top_and_who_overtook_whom_by_which_objective() -> None:
    before = revision(
        "abc",
        a={"accuracy": sure_within(0.9, 0.03), "latency_s": sure_within(0.02, 0.001)},
        b={
            "accuracy": sure_within(0.8, 0.04),
            "latency_s": sure_within(0.02, 0.001),
            "cost": Estimate(1, 1, 1),
        },
    )
    after = revision(
        "bac",
        a={"accuracy": sure_within(0.7, 0.03), "latency_s": sure_within(0.021, 0.001)},
        b={"accuracy": sure_within(0.85, 0.04), "latency_s": sure_within(0.02, 0.001)},
    )
    found = drift(before, after)
    assert (found.top_before, found.top_after, found.top_changed) == (("a",), ("b",), True)
    # By hand: (.85 - .7) - (.8 - .9) = .25, over sqrt(.03^2 + .04^2 + .03^2 + .04^2).
    (overtaking,) = found.overtakings
    moved = overtaking.most_moved
    assert (overtaking.winner, overtaking.loser) == ("b", "a")
    assert moved is not None
    assert moved.objective == "accuracy"
    assert moved.change == pytest.approx(0.25)
    assert moved.half_widths == pytest.approx(0.25 / math.sqrt(0.005))
    assert found.tau_b.value == pytest.approx(1 / 3)


def test_what_is_known_exactly_moves_more_than_anything_uncertain() -> None:
    def of(order: str, accuracy: float, price: float) -> Revision:
        exact = {"cost": Estimate(price, price, price)}
        return revision(
            order,
            a={"accuracy": sure_within(accuracy, 0.01), **exact},
            b={"accuracy": sure_within(0.8, 0.01), "cost": Estimate(2, 2, 2)},
        )

    found = drift(of("ab", 0.9, 1.0), of("ba", 0.1, 3.0)).overtakings
    assert found == (Overtaking("b", "a", Movement("cost", -2.0, None)),)


def test_an_overtaking_without_a_known_or_moved_objective_still_counts() -> None:
    same = {"accuracy": sure_within(0.5, 0.1)}
    unknown = drift(revision("ab", a=same), revision("ba", a=same, b=same))
    unmoved = drift(revision("ab", a=same, b=same), revision("ba", a=same, b=same))
    assert unknown.overtakings == unmoved.overtakings == (Overtaking("b", "a", None),)


@given(RANKS, RANKS)
def test_drift_back_turns_overtakings_round_and_no_drift_has_none(first: Ranks, second: Ranks) -> None:
    one, other = Revision(first, {}), Revision(second, {})
    pairs = {(found.winner, found.loser) for found in drift(one, other, most=64).overtakings}
    assert {(found.loser, found.winner) for found in drift(other, one, most=64).overtakings} == pairs
    still = drift(one, one)
    assert (still.overtakings, still.top_changed) == ((), False)


def test_catching_up_or_breaking_a_tie_is_no_overtaking() -> None:
    apart, tied = Revision({"a": 1, "b": 2}, {}), Revision({"b": 1, "a": 1}, {})
    assert drift(apart, tied).overtakings == drift(tied, apart).overtakings == ()
    assert drift(apart, tied).top_after == ("a", "b")


def test_of_many_overtakings_those_of_the_best_winners_are_told() -> None:
    before, after = revision("abcdef"), revision("fedcba")
    told = drift(before, after, most=6).overtakings
    assert [(one.winner, one.loser) for one in told] == [("f", name) for name in "edcba"] + [("e", "d")]
    assert len(drift(before, after).overtakings) == 15
