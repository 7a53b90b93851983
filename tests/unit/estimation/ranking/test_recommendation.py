from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.ranking.recommendation import (
    BETS,
    Change,
    Recommendation,
    bet,
    log_evidence,
    log_stake,
)

LEVEL = 0.05
NEEDED = -math.log(LEVEL)
NOTHING: Floats = np.full(len(BETS), -np.inf)
ROUNDS = st.lists(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=6), min_size=1, max_size=6
)


def answered(rng: np.random.Generator, gap: float, *shape: int, differ: float = 0.2) -> Floats:
    """Right minus wrong of a challenger and the recommended one that differ on a share of the items."""
    chances = [(differ - gap) / 2, 1 - differ, (differ + gap) / 2]
    return rng.choice([-1.0, 0.0, 1.0], size=shape, p=chances)


def capital_of(rounds: Sequence[Sequence[float]]) -> Floats:
    """What the definition says: each round's stake times the product over all items since."""
    total = [0.0] * len(BETS)
    for start in range(len(rounds)):
        stake = 1 / (1 + math.log2(start + 1)) - 1 / (1 + math.log2(start + 2))
        for number, share in enumerate(BETS.tolist()):
            since = [value for one in rounds[start:] for value in one]
            total[number] += stake / len(BETS) * math.prod(1 + share * value for value in since)
    return np.array(total)


def kernel(rounds: Sequence[Sequence[float]]) -> Floats:
    capital = NOTHING
    for number, one in enumerate(rounds, start=1):
        capital = bet(capital, np.array(one), log_stake(number, 1))
    return capital


def against(level: float = LEVEL) -> Recommendation:
    return Recommendation("now", level=level)


@given(ROUNDS)
def test_the_capital_is_the_sum_over_all_starts_that_defines_it(rounds: list[list[float]]) -> None:
    assert np.exp(kernel(rounds)) == pytest.approx(capital_of(rounds), rel=1e-9)


@pytest.mark.parametrize("sizes", [(1,) * 8, (3, 1, 4), (8,)])
def test_fair_coins_leave_the_expected_capital_as_it_was(sizes: tuple[int, ...]) -> None:
    paths = np.array(list(itertools.product([-1.0, 1.0], repeat=sum(sizes))))
    capital: Floats = np.full((len(paths), len(BETS)), -np.inf)
    for number, items in enumerate(np.split(paths, np.cumsum(sizes)[:-1], axis=1), start=1):
        capital = bet(capital, items, log_stake(number, 1))
    not_staked = 1 / (1 + math.log2(len(sizes) + 1))
    assert np.exp(log_evidence(capital)).mean() + not_staked == pytest.approx(1, rel=1e-12)


@given(st.integers(1, 40), st.integers(1, 7))
def test_all_rounds_and_challengers_share_a_stake_of_one(rounds: int, challengers: int) -> None:
    staked = [
        math.exp(log_stake(number, challengers)) * challengers * len(BETS) for number in range(1, rounds + 1)
    ]
    assert sum(staked) == pytest.approx(1 - 1 / (1 + math.log2(rounds + 1)))
    assert staked == sorted(staked, reverse=True)


@given(ROUNDS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_of_a_round_changes_nothing(
    rounds: list[list[float]], random: np.random.RandomState
) -> None:
    shuffled = [[*one] for one in rounds]
    for one in shuffled:
        random.shuffle(one)
    assert kernel(shuffled) == pytest.approx(kernel(rounds))


@given(ROUNDS, st.floats(0, 1))
def test_doing_better_is_never_less_evidence(rounds: list[list[float]], more: float) -> None:
    better = [[min(value + more, 1) for value in one] for one in rounds]
    assert (kernel(better) >= kernel(rounds) - 1e-9).all()


@given(st.permutations("abc"), st.integers(0, 99))
def test_the_order_of_the_challengers_changes_nothing(order: list[str], seed: int) -> None:
    plain, shuffled = against(level=1e-9), against(level=1e-9)
    for one in answered(np.random.default_rng(seed), 0.1, 4, 3, 20):
        plain.update("abc", one, "abc")
        shuffled.update(order, one[["abc".index(name) for name in order]], "abc")
    assert shuffled.evidence() == pytest.approx(plain.evidence())


def test_equal_candidates_change_falsely_in_at_most_one_run_in_twenty() -> None:
    rng = np.random.default_rng(1)
    capital: Floats = np.full((200, 3, len(BETS)), -np.inf)
    enough: Array = np.zeros(200, dtype=bool)
    for number in range(1, 1001):
        capital = bet(capital, answered(rng, 0, 200, 3, 8), log_stake(number, 3))
        enough |= (log_evidence(capital) >= NEEDED).any(axis=1)
    assert enough.mean() <= LEVEL


def test_a_true_gap_is_found_within_twice_the_items_of_the_bound_and_late_with_few_times_as_many() -> None:
    rng = np.random.default_rng(2)
    gap, differ = 0.05, 0.2
    bound = 2 * (differ - gap**2) * NEEDED / gap**2

    def items(worse_rounds: int) -> float:
        found = []
        for _ in range(25):
            recommendation = against()
            worse = answered(rng, -gap, worse_rounds, 1, 64)
            assert not any(recommendation.update(["new"], one, ["new"]) for one in worse)
            better = answered(rng, gap, 500, 1, 64)
            found.append(
                next(64 * n for n in range(1, 501) if recommendation.update(["new"], better[n - 1], ["new"]))
            )
        return float(np.median(found))

    assert items(0) <= 2 * bound
    assert items(200) <= 5 * bound


def test_the_recommendation_changes_in_the_round_in_which_the_evidence_is_enough() -> None:
    # One item a round, so that nearly enough is told from enough.
    rounds = answered(np.random.default_rng(3), 0.3, 60, 1, 1, differ=0.5)
    expected = next(
        number for number in range(1, 61) if math.log(capital_of(rounds[:number, 0].tolist()).sum()) >= NEEDED
    )
    recommendation = against()
    changes = [recommendation.update(["new"], one, ["new"]) for one in rounds[:expected]]
    assert changes[:-1] == [None] * (expected - 1)
    assert changes[-1] == Change("now", "new", "does better than now on the same items, at level 0.05")
    assert recommendation.candidate == "new"
    assert recommendation.evidence() == {}


def test_of_several_with_enough_evidence_the_first_eligible_one_is_taken() -> None:
    recommendation = against()
    assert recommendation.update("abc", np.ones((3, 99)), []) is None
    assert recommendation.evidence() == dict.fromkeys("abc", 1.0)
    change = recommendation.update([], np.zeros((0, 0)), ["unheard of", "b", "a"])
    assert change is not None
    assert change.candidate == "b"


def test_evidence_beyond_enough_does_not_outlive_the_traffic_that_it_came_from() -> None:
    recommendation = against()
    for _ in range(100):
        recommendation.update(["new"], np.ones((1, 64)), [])
    recommendation.update(["new"], -np.ones((1, 64)), [])
    assert recommendation.evidence()["new"] < 1
    assert recommendation.update(["new"], np.zeros((1, 0)), ["new"]) is None


def test_a_long_time_of_being_worse_need_not_be_won_back() -> None:
    recommendation = against()
    for _ in range(1000):
        recommendation.update(["new"], -np.ones((1, 64)), ["new"])
    assert recommendation.evidence() == {"new": 0.0}
    assert recommendation.update(["new"], np.ones((1, 64)), ["new"]) is not None


def test_the_evidence_of_a_challenger_that_is_away_stays_and_of_one_that_is_forgotten_does_not() -> None:
    rng = np.random.default_rng(4)
    recommendation = against(level=1e-9)
    recommendation.update("ab", np.ones((2, 20)), "ab")
    before = recommendation.evidence()
    recommendation.update("b", answered(rng, 0, 1, 20), "ab")
    recommendation.update("ab", np.zeros((2, 0)), "ab")
    assert recommendation.evidence()["a"] == before["a"] > 0
    recommendation.forget("a")
    recommendation.forget("unheard of")
    assert set(recommendation.evidence()) == {"b"}


def test_a_forced_change_starts_all_tests_anew_also_for_a_new_model_of_the_same_name() -> None:
    recommendation = against()
    recommendation.update("ab", np.ones((2, 99)), [])
    assert recommendation.change_to("a", "now is unavailable") == Change("now", "a", "now is unavailable")
    assert recommendation.evidence() == {}
    assert recommendation.update(["b", "now"], np.zeros((2, 64)), ["b", "now"]) is None
    assert recommendation.change_to("a", "its model was replaced").previous == "a"
    assert recommendation.evidence() == {}


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, math.nan])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(InvalidError, match="between 0 and 1"):
        against(level)


@pytest.mark.parametrize(
    ("names", "differences", "said"),
    [
        (["now"], np.zeros((1, 3)), "each other candidate once"),
        (["a", "a"], np.zeros((2, 3)), "each other candidate once"),
        (["a"], np.zeros((2, 3)), "one row for each"),
        (["a"], np.zeros(3), "one row for each"),
        (["a", "b"], np.array([[0.0], [1.5]]), "difference of b"),
        (["a"], np.array([[0.0, math.nan]]), "scale values"),
    ],
)
def test_differences_that_are_none_are_refused_and_change_nothing(
    names: list[str], differences: Floats, said: str
) -> None:
    recommendation = against()
    with pytest.raises(InvalidError, match=said):
        recommendation.update(names, differences, names)
    assert recommendation.evidence() == {}
