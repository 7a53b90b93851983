from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import Constraint
from sidecar.core.preference.preference import BY_ACCURACY, Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct, default_weights
from sidecar.core.ranking import CandidateRank, Estimate, Prospects, Ranking, State
from sidecar.core.tensors import Floats
from sidecar.estimation.ranking.decision import decide, estimate_draws, item_values

DRAWS = 20
TIED = (State.TIED, "estimates err more than they differ")
NEAR_CHANCE = (State.NEAR_CHANCE, "kappa 0.01")
COST = "eur_per_item"
Known = Mapping[str, object]


def made(
    known: Mapping[str, Known],
    *,
    doubt: tuple[State, str] | None = None,
    reasons: Mapping[str, str] | None = None,
    doubts: Mapping[str, tuple[State, str]] | None = None,
    right: Mapping[str, Floats] | None = None,
) -> Ranking:
    """A ranking that is not decided yet; a number stands for draws that all have it."""
    draws = {
        name: {one: np.resize(np.asarray(values, float), DRAWS) for one, values in of.items()}
        for name, of in known.items()
    }
    candidates = tuple(
        CandidateRank(name, 0, State.OK, "", Estimate(float(of["accuracy"].mean()), 0.0, 1.0))
        for name, of in draws.items()
    )
    prospects = Prospects(draws, doubt, reasons or {}, doubts or {})
    return Ranking(100, State.OK, "", candidates, prospects=prospects, right=right or {})


def prefer(
    *constraints: Constraint,
    order: Order = Order.EXPECTED_REGRET,
    value: WeightedProduct | Lexicographic | None = None,
    **directions: int,
) -> Preference:
    value = value or WeightedProduct(default_weights(len(directions)))
    return Preference(directions, value, constraints, order)


def ranks(ranking: Ranking) -> dict[str, int]:
    return {one.name: one.rank for one in ranking.candidates}


def line(ranking: Ranking, name: str) -> CandidateRank:
    return next(one for one in ranking.candidates if one.name == name)


def numbers(of: object) -> list[float]:
    """All numbers in an answer, without what it was drawn from."""
    if isinstance(of, float | int):
        return [float(of)]
    if is_dataclass(of):
        return [number for one in fields(of) if one.repr for number in numbers(getattr(of, one.name))]
    if isinstance(of, Mapping):
        return [number for one in of.values() for number in numbers(one)]
    if isinstance(of, tuple):
        return [number for one in of for number in numbers(one)]
    return []


@st.composite
def rankings(draw: st.DrawFn, most: int = 5) -> Ranking:
    """With values that repeat, so that draws and candidates tie; some costs are not known."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = "abcde"[: draw(st.integers(1, most))]
    levels = draw(st.sampled_from([2, 5, 1000]))
    unknown = draw(st.sets(st.sampled_from("abcde"), max_size=1))
    doubtful = draw(st.sets(st.sampled_from("abcde"), max_size=2))
    known: dict[str, Known] = {
        name: {
            "accuracy": rng.integers(1, levels, DRAWS, endpoint=True) / levels,
            "latency_p99_s": rng.integers(1, levels, DRAWS, endpoint=True) * 1e-3,
        }
        | ({} if name in unknown else {COST: np.full(DRAWS, float(rng.integers(1, 4)))})
        for name in names
    }
    doubts = {name: NEAR_CHANCE for name in names if name in doubtful}
    return made(known, doubts=doubts, doubt=draw(st.sampled_from([None, TIED, NEAR_CHANCE])))


BOUNDS = st.lists(
    st.sampled_from(
        [
            Constraint("latency_p99_s", at_most=0.002),
            Constraint("accuracy", at_least=0.5, probability=0.5),
            Constraint(COST, at_most=2),
        ]
    ),
    max_size=2,
    unique=True,
)
DIRECTIONS = st.lists(
    st.sampled_from([("accuracy", 1), ("latency_p99_s", -1), (COST, -1)]), min_size=1, unique=True
)


@st.composite
def preferences(draw: st.DrawFn) -> Preference:
    directions = dict(draw(DIRECTIONS))
    tolerances = tuple(draw(st.sampled_from([0.0, 0.1])) for _ in directions)
    weighted, by_turns = WeightedProduct(default_weights(len(directions))), Lexicographic(tolerances)
    value = weighted if draw(st.booleans()) else by_turns
    return Preference(directions, value, tuple(draw(BOUNDS)), draw(st.sampled_from(Order)))


@settings(max_examples=40)
@given(rankings(), preferences(), st.randoms(use_true_random=False))
def test_the_order_in_which_candidates_are_given_changes_nothing(
    ranking: Ranking, preference: Preference, shuffle: random.Random
) -> None:
    shuffled = list(ranking.candidates)
    shuffle.shuffle(shuffled)
    assert decide(replace(ranking, candidates=tuple(shuffled)), preference) == decide(ranking, preference)


@settings(max_examples=40)
@given(rankings(), preferences(), preferences())
def test_what_was_preferred_before_changes_nothing(
    ranking: Ranking, before: Preference, preference: Preference
) -> None:
    assert decide(decide(ranking, before), preference) == decide(ranking, preference)


@settings(max_examples=40)
@given(rankings(), preferences())
def test_ranks_start_at_1_and_count_those_above(ranking: Ranking, preference: Preference) -> None:
    found = [one.rank for one in decide(ranking, preference).candidates]
    ranked = [rank for rank in found if rank]
    assert found == ranked + [0] * (len(found) - len(ranked))
    for place, rank in enumerate(ranked, start=1):
        assert rank == place or rank == ranked[place - 2]
    assert ranked[:1] in ([], [1])


@settings(max_examples=40)
@given(rankings(), preferences())
def test_everything_that_is_said_is_a_number_and_every_pair_is_shared(
    ranking: Ranking, preference: Preference
) -> None:
    decided = decide(ranking, preference)
    assert all(math.isfinite(number) for number in numbers(decided))
    ranked = [one for one in decided.candidates if one.rank]
    assert all((one.standing is not None) == (one in ranked) for one in decided.candidates)
    beats = {one.name: one.standing.p_beats for one in ranked if one.standing}
    for name, others in beats.items():
        assert others.keys() == beats.keys() - {name}
        for other, p in others.items():
            assert p + beats[other][name] == pytest.approx(1)
    assert sum(one.p_best or 0 for one in ranked) == pytest.approx(1 if ranked else 0)
    assert decided.state is State.OK or decided.reason


@settings(max_examples=40)
@given(rankings(), preferences(), st.floats(0.01, 0.9))
def test_a_candidate_that_is_better_in_every_draw_is_never_ranked_below(
    ranking: Ranking, preference: Preference, share: float
) -> None:
    assert ranking.prospects is not None
    worse = ranking.prospects.draws["a"]
    signs = {"accuracy": 1, "latency_p99_s": -1, COST: -1}
    # Named so that it is last wherever names decide.
    better = {one: values * (1 + signs[one] * share / 2) for one, values in worse.items()}
    prospects = replace(ranking.prospects, draws={**ranking.prospects.draws, "z": better})
    candidates = (*ranking.candidates, replace(ranking.candidates[0], name="z"))
    found = ranks(decide(replace(ranking, candidates=candidates, prospects=prospects), preference))
    assert found["a"] == 0 or 0 < found["z"] <= found["a"]
    # Within a tolerance neither is better.
    if isinstance(preference.value, WeightedProduct) and found["a"]:
        assert [name for name in found if name in "az"] == ["z", "a"]


def test_one_objective_orders_by_its_mean_shortfall() -> None:
    known: dict[str, Known] = {
        "a": {"accuracy": 0.7},
        "b": {"accuracy": [0.9, 0.8]},
        "c": {"accuracy": [0.5, 0.6]},
    }
    found = decide(made(known), BY_ACCURACY)
    assert ranks(found) == {"b": 1, "a": 2, "c": 3}
    regrets = {one.name: one.standing.expected_regret for one in found.candidates if one.standing}
    assert regrets == pytest.approx({"b": 0, "a": 0.15, "c": 0.3})
    assert (found.state, found.reason) == (State.OK, "")


def test_equal_candidates_share_a_rank_and_the_next_one_counts_them() -> None:
    draws = np.linspace(0.7, 0.9, DRAWS)
    found = decide(
        made({"c": {"accuracy": 0.5}, "b": {"accuracy": draws}, "a": {"accuracy": draws}}), BY_ACCURACY
    )
    assert ranks(found) == {"a": 1, "b": 1, "c": 3}
    assert [one.state for one in found.candidates] == [State.TIED, State.TIED, State.OK]
    assert (found.state, found.reason) == (State.OK, "cannot be told apart on this traffic: a, b")
    standing = found.candidates[0].standing
    assert standing is not None
    assert standing.p_beats == {"b": 0.5, "c": 1.0}


TRADE: dict[str, Known] = {"dear": {"accuracy": 0.9, COST: 4.0}, "cheap": {"accuracy": 0.8, COST: 1.0}}


@pytest.mark.parametrize(
    ("weight", "leader"), [(0.01, "dear"), (0.07, "dear"), (0.1, "cheap"), (1.0, "cheap")]
)
def test_weights_trade_accuracy_for_cost_as_computed_by_hand(weight: float, leader: str) -> None:
    # A quarter of the cost is worth 4^weight; 0.9 / 0.8 = 1.125 = 4^0.085.
    preference = prefer(accuracy=1, eur_per_item=-1, value=WeightedProduct((1.0, weight)))
    found = decide(made(TRADE), preference)
    assert found.candidates[0].name == leader
    assert ranks(found)[leader] == 1
    # Typical is 2.5, the median of the draws of both.
    dear, cheap = 0.9 * (2.5 / 4) ** weight, 0.8 * 2.5**weight
    standing = found.candidates[1].standing
    assert standing is not None
    assert standing.expected_regret == pytest.approx(abs(dear - cheap))


@pytest.mark.parametrize(
    ("tolerance", "order"),
    [(0.0, ["best", "mid", "low"]), (0.03, ["mid", "best", "low"]), (0.2, ["low", "mid", "best"])],
)
def test_lexicographic_lets_cost_decide_within_the_tolerance_only(tolerance: float, order: list[str]) -> None:
    known: dict[str, Known] = {
        "best": {"accuracy": 0.90, COST: 9.0},
        "mid": {"accuracy": 0.88, COST: 2.0},
        "low": {"accuracy": 0.80, COST: 1.0},
    }
    preference = prefer(accuracy=1, eur_per_item=-1, value=Lexicographic((tolerance, 0.0)))
    assert ranks(decide(made(known), preference)) == {name: place for place, name in enumerate(order, 1)}


def test_a_rare_shortfall_beyond_the_tolerance_does_not_hide_what_costs_less() -> None:
    # One draw in twenty is .06 short, the cost says the same in all of them.
    short = [0.84, *[0.89] * (DRAWS - 1)]
    known: dict[str, Known] = {"a": {"accuracy": 0.90, COST: 10.0}, "b": {"accuracy": short, COST: 1.0}}
    preference = prefer(accuracy=1, eur_per_item=-1, value=Lexicographic((0.05, 0.0)))
    assert ranks(decide(made(known), preference)) == {"b": 1, "a": 2}


ORDERS: dict[str, Known] = {
    # Wins most draws by little, loses the others by much.
    "often": {"accuracy": [0.81] * 3 + [0.5], COST: 2.0},
    "steady": {"accuracy": 0.8, COST: 3.0},
    # Dominated by nobody, and the worst of all.
    "cheap": {"accuracy": 0.4, COST: 1.0},
}


@pytest.mark.parametrize(
    ("order", "leader"),
    [
        (Order.EXPECTED_REGRET, "steady"),
        (Order.P_BEST, "often"),
        (Order.P_NONDOMINATED, "often"),
        (Order.EFFICIENCY, "often"),
    ],
)
def test_each_order_puts_first_what_it_names(order: Order, leader: str) -> None:
    found = decide(made(ORDERS), prefer(order=order, accuracy=1, eur_per_item=-1))
    assert found.candidates[0].name == leader
    keys = {
        Order.EXPECTED_REGRET: lambda one: -one.expected_regret,
        Order.P_BEST: lambda one: one.p_best,
        Order.P_NONDOMINATED: lambda one: one.p_nondominated,
        Order.EFFICIENCY: lambda one: one.efficiency.value,
    }
    shown = [keys[order](one.standing) for one in found.candidates]
    assert shown == sorted(shown, reverse=True)


def test_what_the_order_leaves_open_is_told_by_what_is_worth_more() -> None:
    # Neither b nor c is ever the best one.
    known: dict[str, Known] = {"a": {"accuracy": 0.9}, "b": {"accuracy": 0.5}, "c": {"accuracy": 0.8}}
    assert ranks(decide(made(known), prefer(order=Order.P_BEST, accuracy=1))) == {"a": 1, "c": 2, "b": 3}


def test_what_breaks_a_constraint_comes_last_with_the_reason_and_its_probability() -> None:
    known: dict[str, Known] = {
        "slow": {"accuracy": 0.95, "latency_p99_s": [0.04, 0.06]},
        "slower": {"accuracy": 0.9, "latency_p99_s": 0.07},
        "fast": {"accuracy": 0.7, "latency_p99_s": 0.01},
    }
    found = decide(made(known), prefer(Constraint("latency_p99_s", at_most=0.05), accuracy=1))
    assert ranks(found) == {"fast": 1, "slow": 0, "slower": 0}
    slow = line(found, "slow")
    assert slow.state is State.BREAKS_CONSTRAINT
    assert slow.reason == "latency_p99_s <= 0.05 holds with probability 0.50; 0.9 is wanted"
    assert (slow.p_feasible, slow.standing) == (0.5, None)
    assert (line(found, "fast").p_feasible, line(found, "fast").p_best) == (1.0, 1.0)
    assert (found.state, found.reason) == (State.OK, "")
    half = Constraint("latency_p99_s", at_most=0.05, probability=0.5)
    assert ranks(decide(made(known), prefer(half, accuracy=1))) == {"slow": 1, "fast": 2, "slower": 0}


def test_all_that_break_a_constraint_are_told_with_the_nearest() -> None:
    known: dict[str, Known] = {
        "a": {"accuracy": 0.9, "latency_p99_s": 0.07},
        "b": {"accuracy": 0.7, "latency_p99_s": [0.04, 0.06]},
    }
    found = decide(made(known), prefer(Constraint("latency_p99_s", at_most=0.05), accuracy=1))
    assert found.state is State.BREAKS_CONSTRAINT
    assert found.reason.startswith("no candidate can be ranked; b: latency_p99_s <= 0.05 holds with")
    assert [one.name for one in found.candidates] == ["b", "a"]


def test_constraints_are_kept_one_by_one_and_their_joint_probability_is_told() -> None:
    known: dict[str, Known] = {"a": {"accuracy": [0.4, *[0.9] * 19], "latency_p99_s": [*[0.01] * 19, 0.09]}}
    limits = Constraint("latency_p99_s", at_most=0.05), Constraint("accuracy", at_least=0.5)
    found = decide(made(known), prefer(*limits, accuracy=1))
    assert found.candidates[0].rank == 1
    assert found.candidates[0].p_feasible == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("reasons", "said"), [({}, "its eur_per_item is not known: give it"), ({"b": "no file"}, "no file")]
)
def test_one_whose_cost_is_not_known_is_not_ranked_and_the_others_are(
    reasons: dict[str, str], said: str
) -> None:
    known: dict[str, Known] = {"b": {"accuracy": 0.99}, **TRADE}
    preference = prefer(accuracy=1, eur_per_item=-1)
    found = decide(made(known, reasons=reasons), preference)
    assert ranks(found) == {"dear": 1, "cheap": 2, "b": 0}
    assert line(found, "b").state is State.INSUFFICIENT_DATA
    assert line(found, "b").reason.startswith(said)
    assert found.state is State.OK
    nobody = decide(made({"b": {"accuracy": 0.99}}), preference)
    assert nobody.state is State.INSUFFICIENT_DATA
    assert "b: its eur_per_item is not known" in nobody.reason
    assert ranks(decide(made(known), BY_ACCURACY))["b"] == 1


def test_a_doubt_stays_where_accuracy_counts_and_only_there() -> None:
    ranking = made(TRADE, doubt=NEAR_CHANCE, doubts={"cheap": NEAR_CHANCE})
    bound = Constraint("accuracy", at_least=0.1)
    for preference in (
        BY_ACCURACY,
        prefer(accuracy=1, eur_per_item=-1),
        prefer(bound, eur_per_item=-1),
    ):
        found = decide(ranking, preference)
        assert (found.state, found.reason) == NEAR_CHANCE
        assert (line(found, "cheap").state, line(found, "cheap").reason) == NEAR_CHANCE
        assert line(found, "dear").state is State.OK
    by_cost = decide(ranking, prefer(eur_per_item=-1))
    assert (by_cost.state, by_cost.reason) == (State.OK, "")
    assert [one.state for one in by_cost.candidates] == [State.OK, State.OK]
    assert ranks(by_cost) == {"cheap": 1, "dear": 2}


def test_a_doubtful_leader_makes_the_decision_doubtful_and_another_one_does_not() -> None:
    preference = prefer(accuracy=1, eur_per_item=-1)
    found = decide(made(TRADE, doubts={"dear": NEAR_CHANCE}), preference)
    assert (found.state, found.reason) == (State.NEAR_CHANCE, "dear leads, but kappa 0.01")
    assert decide(made(TRADE, doubts={"cheap": NEAR_CHANCE}), preference).state is State.OK


def test_where_accuracies_are_tied_a_cost_may_decide() -> None:
    ranking = made(TRADE, doubt=TIED)
    assert decide(ranking, BY_ACCURACY).state is State.TIED
    found = decide(ranking, prefer(accuracy=1, eur_per_item=-1))
    assert (found.state, found.reason) == (State.OK, f"{TIED[1]}; the other objectives decide")
    bounded = decide(ranking, prefer(Constraint("accuracy", at_least=0.1), eur_per_item=-1))
    assert (bounded.state, bounded.candidates[0].name) == (State.OK, "cheap")
    same = {name: {"accuracy": [0.7, 0.8], COST: 1.0} for name in "ab"}
    assert decide(made(same, doubt=TIED), prefer(accuracy=1, eur_per_item=-1)).state is State.TIED


def test_without_draws_there_is_nothing_to_decide() -> None:
    ranking = replace(made(TRADE), prospects=None)
    assert decide(ranking, prefer(eur_per_item=-1)) is ranking


def test_those_that_give_no_answers_stay_last_as_they_are() -> None:
    gone = CandidateRank("gone", 0, State.UNAVAILABLE, "no file", None)
    ranking = made(TRADE)
    found = decide(replace(ranking, candidates=(gone, *ranking.candidates)), prefer(eur_per_item=-1))
    assert found.candidates[-1] is gone
    assert ranks(found) == {"cheap": 1, "dear": 2, "gone": 0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (WeightedProduct((1.0, 1.0)), "2 weights for 1 objectives"),
        (Lexicographic((0.1, 0.1)), "2 tolerances for 1 objectives"),
    ],
)
def test_weights_that_do_not_go_with_the_objectives_are_refused(
    value: WeightedProduct | Lexicographic, said: str
) -> None:
    with pytest.raises(InvalidError, match=said):
        decide(made(TRADE), prefer(accuracy=1, value=value))


def test_weights_beyond_all_measure_are_refused_and_say_the_mend() -> None:
    preference = prefer(accuracy=1, eur_per_item=-1, value=WeightedProduct((1e-6, 1.0)))
    with pytest.raises(InvalidError, match="put the objective with the largest weight first"):
        decide(made(TRADE), preference)


def test_items_are_worth_their_correctness_times_what_the_costs_leave_of_it() -> None:
    right = {"dear": np.array([1.0, 0.9]), "cheap": np.array([0.5, 1.0])}
    ranking = made(TRADE, right=right)
    preference = prefer(accuracy=1, eur_per_item=-1, value=WeightedProduct((1.0, 0.5)))
    found = item_values(decide(ranking, preference), preference)
    # The dear one costs four times as much: 4^-0.5 is left.
    assert found["cheap"] == pytest.approx([0.5, 1.0])
    assert found["dear"] == pytest.approx([0.5, 0.45])
    alone = item_values(decide(ranking, BY_ACCURACY), BY_ACCURACY)
    assert {name: values.tolist() for name, values in alone.items()} == {
        name: values.tolist() for name, values in right.items()
    }
    by_turns = prefer(accuracy=1, eur_per_item=-1, value=Lexicographic((0.1, 0.0)))
    assert item_values(decide(ranking, by_turns), by_turns)["dear"] is right["dear"]


def test_items_have_no_value_without_accuracy_or_a_rank() -> None:
    right = {"dear": np.ones(2), "cheap": np.ones(2)}
    ranking = made(TRADE, right=right)
    by_cost = prefer(eur_per_item=-1, accuracy=1)
    assert item_values(decide(ranking, by_cost), by_cost) == {}
    bound = prefer(Constraint(COST, at_most=2), accuracy=1)
    assert item_values(decide(ranking, bound), bound).keys() == {"cheap"}
    none = prefer(Constraint(COST, at_most=0.5), accuracy=1)
    assert item_values(decide(ranking, none), none) == {}


@given(st.floats(1e-6, 1e6), st.floats(1, 10), st.floats(1, 10))
def test_costs_are_drawn_with_the_width_of_their_interval(value: float, below: float, above: float) -> None:
    estimate = Estimate(value, value / below, value * above)
    drawn = np.log(estimate_draws(estimate, 4000, np.random.default_rng(0)) / value)
    assert np.median(drawn) == pytest.approx(0, abs=0.1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    assert high - low == pytest.approx(math.log(above * below), rel=0.05, abs=1e-9)
