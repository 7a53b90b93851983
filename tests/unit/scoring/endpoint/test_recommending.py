from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from sidecar.core.preference.constraints import Constraint
from sidecar.core.preference.preference import BY_ACCURACY, Preference
from sidecar.core.preference.value import WeightedProduct
from sidecar.core.ranking import CandidateRank, Prospects, Ranking, Recommended, State
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.ranking.decision import decide
from sidecar.scoring.endpoint.recommending import Recommender

COST = "eur_per_item"
BY_COST = Preference({COST: -1}, WeightedProduct((1.0,)))
DIFFER = (State.TIED, "estimates err more than they differ")
DOUBT = (State.NEAR_CHANCE, "kappa")
ITEMS = 40


def ranked(
    ids: Array,
    preference: Preference = BY_ACCURACY,
    *,
    doubt: tuple[State, str] | None = None,
    costs: dict[str, float] | None = None,
    **right: float,
) -> Ranking:
    """A ranking of the items `ids`, each of which a candidate gets right with its probability."""
    draws: dict[str, dict[str, Floats]] = {
        name: {"accuracy": np.full(5, p)} | ({COST: np.full(5, costs[name])} if costs else {})
        for name, p in right.items()
    }
    lines = tuple(CandidateRank(name, 0, State.OK, "", None) for name in right)
    values = {name: np.full(len(ids), p) for name, p in right.items()}
    prospects = Prospects(draws, doubt)
    return decide(Ranking(len(ids), State.OK, "", lines, prospects=prospects, right=values), preference)


class Stage:
    """A recommender and the window that it is shown."""

    def __init__(self, incumbent: str = "a") -> None:
        self.recommender = Recommender(incumbent, level=0.05)
        self.number = 0
        self.first_id = 0

    def round(
        self,
        ranking: Ranking,
        ids: Array,
        preference: Preference = BY_ACCURACY,
        candidates: Iterable[str] = "abc",
    ) -> Recommended:
        self.number += 1
        return self.recommender.update(
            self.number, ranking, ids, preference, incumbent="a", candidates=set(candidates)
        )

    def fresh(
        self,
        *,
        candidates: Iterable[str] = "abc",
        preference: Preference = BY_ACCURACY,
        doubt: tuple[State, str] | None = None,
        costs: dict[str, float] | None = None,
        **right: float,
    ) -> Recommended:
        """A round of new items."""
        ids = self.first_id + np.arange(ITEMS)
        self.first_id += ITEMS
        made = ranked(ids, preference, doubt=doubt, costs=costs, **right)
        return self.round(made, ids, preference, candidates)

    def until_changed(self, *, b: float) -> Recommended:
        for _ in range(20):
            found = self.fresh(a=0.5, b=b, c=0.55)
            if found.candidate != "a":
                return found
        raise AssertionError("never changed")


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_incumbent_is_recommended_and_says_why(stage: Stage) -> None:
    found = stage.fresh(a=0.9, b=0.5)
    assert (found.candidate, found.since_round) == ("a", 0)
    assert found.reason == "it serves, and nothing speaks against it yet"
    assert found.challenger == "b"
    assert 0 <= found.evidence < 1


def test_it_changes_on_evidence_to_the_one_that_is_ranked_above(stage: Stage) -> None:
    first = stage.fresh(a=0.5, b=0.65, c=0.55)
    assert (first.candidate, first.challenger) == ("a", "b")
    assert 0 < first.evidence < 1
    found = stage.until_changed(b=0.65)
    assert (found.candidate, found.since_round) == ("b", stage.number)
    assert found.reason == "does better than a on the same items, at level 0.05"
    assert (found.challenger, found.evidence) == ("", 0.0)
    stays = stage.fresh(a=0.5, b=0.65, c=0.55)
    assert (stays.candidate, stays.since_round) == ("b", found.since_round)


@pytest.mark.parametrize("doubt", [DIFFER, DOUBT])
def test_ties_and_doubt_change_nothing_and_evidence_is_gathered_meanwhile(
    stage: Stage, doubt: tuple[State, str]
) -> None:
    for _ in range(10):
        held = stage.fresh(a=0.5, b=0.9, doubt=doubt)
    assert (held.candidate, held.challenger, held.evidence) == ("a", "b", 1.0)
    assert held.reason == f"b has the evidence to replace it, but {doubt[1]}"
    assert stage.fresh(a=0.5, b=0.9).candidate == "b"


def test_one_that_shares_its_rank_is_not_changed_to(stage: Stage) -> None:
    ids = np.arange(ITEMS)
    for _ in range(10):
        # Items say more than the draws.
        right = {"a": np.full(ITEMS, 0.7), "b": np.full(ITEMS, 0.9)}
        found = stage.round(replace(ranked(ids, a=0.7, b=0.7), right=right), ids)
        ids = ids + ITEMS
    assert (found.candidate, found.evidence) == ("a", 1.0)
    assert found.reason == "b has the evidence to replace it, but it is not ranked above"


def test_an_item_that_is_shown_again_is_not_counted_again(stage: Stage) -> None:
    ids = np.arange(ITEMS)
    made = ranked(ids, a=0.5, b=0.65)
    seen = stage.round(made, ids).evidence
    assert 0 < seen < 1
    for _ in range(20):
        repeated = stage.round(made, ids)
    assert (repeated.candidate, repeated.evidence) == ("a", seen)


def test_windows_that_overlap_count_as_those_that_do_not() -> None:
    apart, sliding = Stage(), Stage()
    for start in range(0, 4 * ITEMS, ITEMS):
        ids = start + np.arange(ITEMS)
        one = apart.round(ranked(ids, a=0.5, b=0.54), ids)
        window = np.arange(max(start - 3 * ITEMS // 2, 0), start + ITEMS)
        other = sliding.round(ranked(window, a=0.5, b=0.54), window)
    assert one.evidence == pytest.approx(other.evidence)
    assert 0 < one.evidence < 1


def test_a_round_without_items_changes_nothing(stage: Stage) -> None:
    before = stage.fresh(a=0.5, b=0.65)
    assert before.evidence > 0
    empty = Ranking(0, State.INSUFFICIENT_DATA, "too few", ())
    after = stage.round(empty, np.arange(0))
    assert (after.candidate, after.evidence) == (before.candidate, before.evidence)


def test_where_the_recommended_one_is_removed_the_incumbent_follows(stage: Stage) -> None:
    stage.until_changed(b=0.9)
    found = stage.fresh(candidates="ac", a=0.5, c=0.4)
    assert (found.candidate, found.since_round) == ("a", stage.number)
    assert found.reason == "b was removed from the candidates"


def test_a_challenger_that_is_removed_leaves_nothing_behind(stage: Stage) -> None:
    assert stage.fresh(a=0.5, b=0.6).challenger == "b"
    found = stage.fresh(candidates="a", a=0.5)
    assert (found.challenger, found.evidence) == ("", 0.0)
    back = stage.fresh(a=0.5, b=0.6)
    assert back.challenger == "b"


BOUNDED = Preference({"accuracy": 1}, WeightedProduct((1.0,)), (Constraint(COST, at_most=2),))


@pytest.mark.parametrize("doubt", [None, DIFFER])
def test_one_that_breaks_a_constraint_is_left_at_once_for_the_leader(
    stage: Stage, doubt: tuple[State, str] | None
) -> None:
    costs = {"a": 3.0, "b": 1.0, "c": 1.0}
    found = stage.fresh(a=0.9, b=0.5, c=0.6, preference=BOUNDED, costs=costs, doubt=doubt)
    assert (found.candidate, found.since_round) == ("c", 1)
    assert found.reason == "a: eur_per_item <= 2 holds with probability 0.00; 0.9 is wanted"


@pytest.mark.parametrize(("costs", "doubt"), [({"a": 3.0, "b": 3.0}, None), ({"a": 3.0, "b": 1.0}, DOUBT)])
def test_it_stays_where_all_break_a_constraint_or_the_leader_is_doubtful(
    stage: Stage, costs: dict[str, float], doubt: tuple[State, str] | None
) -> None:
    found = stage.fresh(a=0.9, b=0.5, preference=BOUNDED, costs=costs, doubt=doubt)
    assert found.candidate == "a"


def test_where_nothing_is_known_of_items_the_ranking_itself_decides(stage: Stage) -> None:
    found = stage.fresh(a=0.9, b=0.5, preference=BY_COST, costs={"a": 3.0, "b": 1.0})
    assert (found.candidate, found.reason) == ("b", "is ranked above a")
    equal = stage.fresh(a=0.9, b=0.5, preference=BY_COST, costs={"a": 1.0, "b": 1.0})
    assert equal.candidate == "b"


def test_evidence_against_a_replaced_model_starts_anew(stage: Stage) -> None:
    gathered = stage.fresh(a=0.5, b=0.65, c=0.6)
    assert gathered.challenger == "b"
    stage.recommender.forget("b")
    ids = np.arange(stage.first_id)
    # No new items: what is left is c's.
    left = stage.round(ranked(ids, a=0.5, b=0.65, c=0.6), ids)
    assert left.challenger == "c"
    stage.recommender.forget("a")
    nothing = stage.round(ranked(ids, a=0.5, b=0.65, c=0.6), ids)
    assert (nothing.candidate, nothing.challenger, nothing.evidence) == ("a", "", 0.0)


def test_a_restart_keeps_the_candidate_and_counts_items_from_the_beginning(stage: Stage) -> None:
    changed = stage.until_changed(b=0.9)
    stage.recommender.restart(level=0.05)
    ids = np.arange(ITEMS)
    found = stage.round(ranked(ids, a=0.5, b=0.7, c=0.85), ids)
    assert (found.candidate, found.since_round) == ("b", changed.since_round)
    assert found.challenger == "c"
    assert found.evidence > 0
