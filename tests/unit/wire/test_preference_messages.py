from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import Constraint
from sidecar.core.preference.objectives import DIRECTIONS
from sidecar.core.preference.preference import BY_ACCURACY, Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct, default_weights
from sidecar.core.ranking import CandidateRank, Estimate, Prospects, Ranking, State
from sidecar.estimation.ranking.decision import decide
from sidecar.wire.rankings import Occasion, prospects_message, ranking_message, read_preference, read_ranking

NAMES = [*DIRECTIONS, "eur_per_item"]
KNOWN = {**DIRECTIONS, "eur_per_item": -1}
OWN = Preference(
    {"accuracy": 1, "latency_p99_s": -1},
    WeightedProduct((1.0, 0.3)),
    (Constraint("latency_p99_s", at_most=0.5),),
    Order.P_BEST,
    level=0.8,
)
_MAX, _MIN = ranking_pb2.DIRECTION_MAX, ranking_pb2.DIRECTION_MIN
LIMITS = st.floats(0.1, 0.9)


def occasion(preference: Preference) -> Occasion:
    return Occasion("e", "a", 3, 1.5, preference)


def asked(preference: Preference) -> ranking_pb2.Preference:
    return ranking_message(Ranking(0, State.OK, "", ()), occasion(preference)).preference


def objective(name: str, **said: Any) -> ranking_pb2.Objective:  # noqa: ANN401 - any field of it
    return ranking_pb2.Objective(name=name, **said)


def read(
    *objectives: ranking_pb2.Objective,
    constraints: Sequence[ranking_pb2.Constraint] = (),
    default: Preference = OWN,
    lexicographic: bool = False,
) -> Preference:
    message = ranking_pb2.Preference(
        objectives=objectives, constraints=constraints, lexicographic=lexicographic
    )
    return read_preference(message, default, DIRECTIONS)


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    low, high = sorted([draw(LIMITS), draw(LIMITS)])
    bounds = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
    return Constraint(draw(st.sampled_from(NAMES)), bounds[1], bounds[0], draw(LIMITS))


@st.composite
def preferences(draw: st.DrawFn) -> Preference:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    numbers = tuple(draw(st.floats(0.1, 2)) for _ in names)
    value = WeightedProduct(numbers) if draw(st.booleans()) else Lexicographic(numbers)
    bounds = draw(st.lists(constraints(), max_size=3, unique_by=lambda one: one.objective))
    return Preference(
        {name: KNOWN[name] for name in names}, value, tuple(bounds), draw(st.sampled_from(Order))
    )


@given(preferences())
def test_a_preference_comes_back_as_it_was_sent(preference: Preference) -> None:
    sent = ranking_pb2.Preference.FromString(asked(preference).SerializeToString())
    found = read_preference(sent, BY_ACCURACY, {})
    assert found == preference
    assert list(found.directions) == list(preference.directions)


@given(preferences())
def test_what_is_not_said_is_the_endpoints(own: Preference) -> None:
    assert read_preference(ranking_pb2.Preference(), own, KNOWN) == own


def test_each_part_that_is_not_said_is_the_endpoints() -> None:
    found = read(objective("accuracy"), objective("energy_j"))
    assert found == Preference(
        {"accuracy": 1, "energy_j": -1}, WeightedProduct((1.0, 0.07)), OWN.constraints, OWN.order, OWN.level
    )
    bound = ranking_pb2.Constraint(objective="accuracy", at_least=0.5)
    found = read(constraints=[bound])
    assert (found.directions, found.value, found.order) == (OWN.directions, OWN.value, OWN.order)
    assert found.constraints == (Constraint("accuracy", at_least=0.5, probability=0.9),)
    found = read(lexicographic=True)
    assert (found.directions, found.value) == (OWN.directions, Lexicographic((0.0, 0.0)))
    message = ranking_pb2.Preference(order=ranking_pb2.ORDER_EFFICIENCY)
    assert read_preference(message, OWN, DIRECTIONS).order is Order.EFFICIENCY


def test_a_weight_of_0_is_said_and_no_weight_is_the_usual_one() -> None:
    found = read(objective("accuracy"), objective("energy_j", weight=0.0), objective("memory_bytes"))
    assert found.value == WeightedProduct((1.0, 0.0, default_weights(2)[1]))


def test_an_objective_of_the_callers_own_says_its_direction() -> None:
    assert read(objective("eur_per_item", direction=_MIN)).directions == {"eur_per_item": -1}
    assert read(objective("items_per_eur", direction=_MAX)).directions == {"items_per_eur": 1}


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ([objective("beauty")], "objective 'beauty' is not one of accuracy, .*: set its direction"),
        ([objective("beauty", direction=99)], "set its direction"),
        ([objective("accuracy", direction=_MIN)], "'accuracy' has a fixed direction: leave it out"),
        ([objective("energy_j"), objective("energy_j")], "is listed twice"),
        ([objective("accuracy", weight=0.0), objective("energy_j", weight=0.0)], "sum to 0"),
        ([objective("accuracy", weight=0.0), objective("energy_j")], "first objective's weight is 0"),
        ([objective("accuracy"), objective("energy_j", weight=-1.0)], "give numbers of 0 or more"),
        ([objective("accuracy", weight=math.nan)], "give numbers of 0 or more"),
        ([objective("accuracy"), objective("energy_j", weight=math.inf)], "give numbers of 0 or more"),
    ],
)
def test_objectives_that_make_no_sense_are_refused(
    objectives: list[ranking_pb2.Objective], said: str
) -> None:
    with pytest.raises(InvalidError, match=said):
        read(*objectives)


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_tolerances_that_make_no_sense_are_refused(tolerance: float) -> None:
    with pytest.raises(InvalidError, match=r"tolerances are .*: give numbers of 0 or more"):
        read(objective("accuracy", tolerance=tolerance), lexicographic=True)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ([{"objective": "energy_j"}], "give a number as limit"),
        ([{"objective": "energy_j", "at_most": math.nan}], "give a number as limit"),
        ([{"objective": "energy_j", "at_least": -math.inf}], "give a number as limit"),
        ([{"objective": "energy_j", "at_most": 1.0, "at_least": 2.0}], "contradict each other"),
        (
            [{"objective": "energy_j", "at_most": 1.0}, {"objective": "energy_j", "at_least": 2.0}],
            "no candidate can satisfy it",
        ),
        ([{"objective": "accuracy", "at_least": 1.5}], "accuracy lies between 0 and 1"),
        ([{"objective": "latency_p99_s", "at_most": -1.0}], "latency_p99_s lies between 0 and inf"),
        ([{"objective": "accuracy", "at_least": 0.5, "probability": 0.0}], "give a number between 0 and 1"),
        ([{"objective": "accuracy", "at_least": 0.5, "probability": 2.0}], "give a number between 0 and 1"),
        (
            [{"objective": "accuracy", "at_least": 0.5, "probability": math.nan}],
            "give a number between 0 and 1",
        ),
    ],
)
def test_constraints_that_nothing_can_keep_are_refused(bounds: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        read(constraints=[ranking_pb2.Constraint(**one) for one in bounds])


def test_an_order_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidError, match=r"order 99 is not known; choose one of .*ORDER_P_BEST"):
        read_preference(ranking_pb2.Preference(order=99), OWN, DIRECTIONS)  # type: ignore[arg-type]


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = "abcd"[: draw(st.integers(1, 4))]
    doubts = st.sampled_from([(State.TIED, "close"), (State.NEAR_CHANCE, "kappa"), None])
    draws = {
        # Few values, so that draws tie.
        name: {one: rng.integers(1, 10, 20) / 10 for one in NAMES}
        for name in names
    }
    own = {name: doubt for name in names if (doubt := draw(doubts)) is not None}
    candidates = tuple(CandidateRank(name, 0, State.OK, "", Estimate(0.5, 0.25, 0.75)) for name in names)
    prospects = Prospects(draws, draw(doubts), {"a": "no file"}, own)
    return Ranking(20, State.OK, "", candidates, prospects=prospects)


@settings(max_examples=40)
@given(rankings(), preferences(), preferences())
def test_a_ranking_that_was_sent_is_decided_as_the_one_that_was_made(
    ranking: Ranking, own: Preference, preference: Preference
) -> None:
    assert ranking.prospects is not None
    message = ranking_message(decide(ranking, own), occasion(own))
    drawn = scoring_pb2.Prospects.FromString(prospects_message(ranking.prospects).SerializeToString())
    sent = ranking_pb2.Ranking.FromString(message.SerializeToString())
    found, made = decide(read_ranking(sent, drawn), preference), decide(ranking, preference)
    assert (found.items, found.state, found.reason) == (made.items, made.state, made.reason)
    assert found.candidates == made.candidates


def test_a_cost_that_is_at_its_bound_keeps_it_also_where_it_was_sent() -> None:
    # Single precision would make 0.1 a little more.
    draws = {"a": {"accuracy": np.full(20, 0.9), "eur_per_item": np.full(20, 0.1)}}
    prospects = Prospects(draws, None)
    ranking = Ranking(20, State.OK, "", (CandidateRank("a", 0, State.OK, "", None),), prospects=prospects)
    bound = Preference({"accuracy": 1}, WeightedProduct((1.0,)), (Constraint("eur_per_item", at_most=0.1),))
    made = decide(ranking, bound)
    sent = ranking_message(made, occasion(bound))
    assert made.state is State.OK
    assert decide(read_ranking(sent, prospects_message(prospects)), bound) == made


def test_what_is_not_known_is_absent_in_the_message() -> None:
    preference = Preference({"accuracy": 1}, WeightedProduct((1.0,)))
    unranked = CandidateRank("a", 0, State.UNAVAILABLE, "no file", None)
    (sent,) = ranking_message(Ranking(0, State.UNAVAILABLE, "", (unranked,)), occasion(preference)).candidates
    for name in ("accuracy", "p_best", "expected_regret", "p_nondominated", "efficiency", "p_feasible"):
        assert not sent.HasField(name)
    assert sent.incumbent
