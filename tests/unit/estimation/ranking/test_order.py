from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Ranking, State
from sidecar.core.tensors import Array
from sidecar.estimation.ranking.order import RankSettings, rank
from tests.support.made_evidence import evidence, noisy, profile, sure

LABELS = "abcd"
RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(600, 3))
LIVE = RNG.normal(size=(400, 3))
TRUTH = RNG.integers(4, size=400)
HERE = profile(TRAIN, LABELS)
ELSEWHERE = profile(TRAIN + 20, LABELS)
HALFWAY = profile(TRAIN + 0.35, LABELS)
EMPTY = Evidence((), (), (), (), np.zeros((0, 0, 0)))


def answers(*accuracies: float, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    return sure(np.stack([noisy(TRUTH, accuracy, 4, rng) for accuracy in accuracies]), 4, rng)


def made(
    of: Evidence,
    names: str,
    *,
    seed: int = 0,
    unavailable: dict[str, str] | None = None,
    segments: Sequence[SegmentEvidence] = (),
) -> Ranking:
    return rank(
        list(names),
        of,
        unavailable=unavailable or {},
        rng=np.random.default_rng(seed),
        settings=RankSettings(),
        segments=segments,
    )


def split(here: Array) -> list[tuple[str, Array]]:
    return [("here", here), ("there", ~here)]


def validated(accuracy: float) -> SourceProfile:
    """A source like the traffic, where a candidate's validation had this accuracy on 4,000 rows."""
    wrong = round(1000 * (1 - accuracy) / 3)
    return profile(TRAIN, LABELS, np.full((4, 4), wrong) + (1000 - 4 * wrong) * np.eye(4, dtype=np.int64))


def of_validated(*accuracies: float, seed: int = 1) -> Evidence:
    return evidence([validated(one) for one in accuracies], LIVE, answers(*accuracies, seed=seed), LABELS)


GOOD = of_validated(0.95, 0.8, 0.5, 0.3)


def test_candidates_come_best_first_with_everything_that_is_known() -> None:
    found = made(GOOD, "wxyz", unavailable={"b": "broken file", "a": "no profile"})
    assert (found.state, found.reason, found.items) == (State.OK, "", 400)
    assert [one.name for one in found.candidates] == ["w", "x", "y", "z", "a", "b"]
    assert [one.rank for one in found.candidates[:3]] == [1, 2, 3]
    top, last = found.candidates[0], found.candidates[-1]
    assert top.accuracy is not None
    assert top.accuracy.value == pytest.approx(0.95, abs=0.03)
    assert (top.p_best or 0) > 0.8
    known = {value.name for value in top.measures if value.estimate is not None}
    assert {"coverage", "shift", "agreement", "confidence"} <= known
    assert dataclasses.asdict(last) == {
        "name": "b",
        "rank": 0,
        "state": State.UNAVAILABLE,
        "reason": "broken file",
        "accuracy": None,
        "measures": (),
        "shifted_features": (),
        "objectives": {},
        "p_feasible": None,
        "standing": None,
    }


def test_equal_candidates_share_a_rank() -> None:
    found = made(of_validated(0.97, 0.97, 0.97, 0.4, seed=3), "abcd")
    told, tied = found.reason.split(": ")
    assert (found.state, told) == (State.OK, "cannot be told apart on this traffic")
    assert sorted(tied.split(", ")) == ["a", "b", "c"]
    assert [one.rank for one in found.candidates] == [1, 1, 1, 4]
    assert [one.state for one in found.candidates[:3]] == [State.TIED] * 3
    assert found.candidates[3].state is State.OK


def test_the_order_in_which_candidates_come_changes_nothing() -> None:
    expected = made(GOOD, "wxyz")
    for order in itertools.permutations(range(4)):
        assert made(GOOD.of(order), "".join("wxyz"[i] for i in order)) == expected


def test_the_same_input_gives_the_same_ranking() -> None:
    assert made(GOOD, "wxyz", seed=5) == made(GOOD, "wxyz", seed=5)


def test_a_candidate_from_elsewhere_is_out_of_support_and_says_which_features_moved() -> None:
    of = evidence([HERE, HERE, ELSEWHERE, HERE], LIVE, answers(0.95, 0.7, 0.8, 0.6), LABELS)
    line = {one.name: one for one in made(of, "abcd").candidates}
    assert line["c"].state is State.OUT_OF_SUPPORT
    assert line["c"].reason.startswith("0% of the traffic's values occur in its training data")
    assert {shift.name for shift in line["c"].shifted_features} == {"f0", "f1", "f2"}
    assert line["a"].state is State.OK
    assert len(line["a"].shifted_features) < 3


def test_no_candidate_covers_the_traffic() -> None:
    found = made(evidence([ELSEWHERE] * 3, LIVE, answers(0.9, 0.7, 0.6), LABELS), "abc")
    assert found.state is State.OUT_OF_SUPPORT
    assert found.candidates[0].accuracy is not None


def test_candidates_that_guess_are_near_chance() -> None:
    found = made(evidence([HERE] * 3, LIVE, answers(0.25, 0.25, 0.25), LABELS), "abc")
    assert found.state is State.NEAR_CHANCE
    assert "kappa" in found.reason


def test_one_that_guesses_among_good_ones_is_near_chance() -> None:
    found = made(evidence([HERE] * 4, LIVE, answers(0.9, 0.85, 0.8, 0.25), LABELS), "abcd")
    assert found.state is not State.NEAR_CHANCE
    assert found.candidates[-1].state is State.NEAR_CHANCE


def test_strangers_that_disagree_do_not_discredit_the_one_that_fits() -> None:
    validated = profile(TRAIN, LABELS, np.full((4, 4), 3) + 88 * np.eye(4, dtype=np.int64))
    of = evidence([validated, ELSEWHERE, ELSEWHERE], LIVE, answers(0.9, 0.25, 0.25), LABELS)
    found = made(of, "abc")
    assert found.state is State.OK
    assert found.candidates[0].name == "a"


def test_one_that_fits_but_was_never_validated_is_not_believed_against_all_others() -> None:
    of = evidence([HERE, ELSEWHERE, ELSEWHERE], LIVE, answers(0.9, 0.25, 0.25), LABELS)
    assert made(of, "abc").state is State.NEAR_CHANCE


def test_strangers_that_disagree_do_not_discredit_those_that_fit_and_agree() -> None:
    of = evidence([HERE, HERE, *[ELSEWHERE] * 3], LIVE, answers(0.9, 0.85, 0.25, 0.25, 0.25), LABELS)
    found = made(of, "abcde")
    assert found.state in {State.OK, State.TIED}
    assert {one.name for one in found.candidates[:2]} == {"a", "b"}


def test_a_doubtful_leader_makes_the_ranking_doubtful() -> None:
    of = evidence([ELSEWHERE, *[HALFWAY] * 4], LIVE, answers(0.97, *[0.5] * 4), LABELS)
    found = made(of, "abcde")
    assert found.state is found.candidates[0].state is State.OUT_OF_SUPPORT
    assert found.reason.startswith("a leads, but")


def test_estimates_that_err_more_than_they_differ_are_tied() -> None:
    found = made(evidence([HERE] * 6, LIVE, answers(*[0.8] * 6), LABELS), "abcdef")
    assert found.state is State.TIED
    assert "too uncertain to tell which candidate is best" in found.reason


def test_segments_have_their_own_ranking_and_the_whole_is_weighed_from_them() -> None:
    shares = answers(0.95, 0.3, 0.7, 0.7)
    shares[:2, 100:] = shares[1::-1, 100:]
    here = np.arange(400) < 100
    of = evidence([HERE] * 4, LIVE, shares, LABELS)
    segments = [SegmentEvidence(name, f"is {name}", mask, of.targets) for name, mask in split(here)]
    found = made(of, "abcd", segments=segments)
    assert [(one.name, one.rule, one.share) for one in found.segments] == [
        ("there", "is there", 0.75),
        ("here", "is here", 0.25),
    ]
    tops = [one.ranking.candidates[0].name for one in found.segments]
    assert tops == ["b", "a"]
    assert found.candidates[0].name == "b"
    assert [one.ranking.items for one in found.segments] == [300, 100]


def test_a_segment_of_too_few_items_says_so_and_still_counts_in_the_whole() -> None:
    few = np.arange(400) < 30
    segments = [SegmentEvidence(name, "", mask, GOOD.targets) for name, mask in split(few)]
    found = made(GOOD, "wxyz", segments=segments)
    assert [one.ranking.state for one in found.segments] == [State.OK, State.INSUFFICIENT_DATA]
    assert found.state is State.OK
    assert found.items == 400


def test_kinds_of_traffic_are_sought_in_the_answers_only_where_nothing_is_known_of_the_inputs() -> None:
    unknown = dataclasses.replace(GOOD, profiles=(None,) * 4, targets=(None,) * 4, thresholds=(None,) * 4)

    def names(of: Evidence, settings: RankSettings) -> list[str]:
        rng = np.random.default_rng(0)
        found = rank(list("wxyz"), of, unavailable={}, rng=rng, settings=settings)
        return [one.name for one in found.segments]

    assert names(unknown, RankSettings(min_items=20)) == [f"answers-{number}" for number in (1, 2, 3, 4)]
    assert names(GOOD, RankSettings(min_items=20)) == []
    assert names(unknown, RankSettings(min_items=20, find_segments=False)) == []


def test_too_few_items_rank_nobody_and_still_measure() -> None:
    few = evidence([HERE] * 2, LIVE, answers(0.9, 0.8)[:, :49], LABELS)
    found = made(few, "ab")
    assert found.state is State.INSUFFICIENT_DATA
    assert "49 items" in found.reason
    for one in found.candidates:
        assert (one.rank, one.accuracy, one.p_best, one.state) == (0, None, None, State.INSUFFICIENT_DATA)
        assert one.measures


def test_one_candidate_has_no_consensus() -> None:
    found = made(evidence([HERE], LIVE, answers(0.9), LABELS), "a")
    assert found.state is State.INSUFFICIENT_DATA
    assert "one candidate" in found.reason


def test_candidates_that_all_answer_alike_are_tied_without_an_accuracy() -> None:
    found = made(evidence([HERE] * 3, LIVE, answers(0.9)[[0, 0, 0]], LABELS), "abc")
    assert found.state is State.TIED
    assert [(one.rank, one.accuracy, one.p_best) for one in found.candidates] == [(1, None, None)] * 3


def test_no_candidate_answers() -> None:
    found = made(EMPTY, "", unavailable={"a": "broken"})
    assert found.state is State.UNAVAILABLE
    assert [one.name for one in found.candidates] == ["a"]


@settings(max_examples=25)
@given(st.integers(2, 4), st.integers(50, 80), st.integers(1, 3), st.integers(0, 999))
def test_no_answer_holds_a_nan(candidates: int, items: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    constant = profile(np.full((300, 2), 1.0), LABELS[:classes])
    shares = rng.dirichlet(np.full(classes, 0.3), size=(candidates, items))
    found = made(
        evidence([constant] * candidates, np.full((items, 2), 1.0), shares, LABELS[:classes]),
        "abcd"[:candidates],
    )
    for one in found.candidates:
        estimates = [one.accuracy, *(value.estimate for value in one.measures)]
        numbers = [number for e in estimates if e is not None for number in (e.value, e.low, e.high)]
        assert all(math.isfinite(number) for number in numbers)
        assert one.p_best is None or 0 <= one.p_best <= 1
    assert sum(one.p_best or 0 for one in found.candidates) == pytest.approx(1 if found.prospects else 0)


def test_segments_found_by_the_answers_are_less_sure_than_known_ones() -> None:
    unknown = dataclasses.replace(GOOD, profiles=(None,) * 4, targets=(None,) * 4, thresholds=(None,) * 4)
    settings, rng = RankSettings(min_items=20), np.random.default_rng(0)
    found = rank(list("wxyz"), unknown, unavailable={}, rng=rng, settings=settings).segments
    known = [SegmentEvidence(one.name, "", one.items, unknown.targets) for one in found]
    rng = np.random.default_rng(0)
    told = rank(list("wxyz"), unknown, unavailable={}, rng=rng, settings=settings, segments=known).segments
    for one, other in zip(found, told, strict=True):
        widths = [of.ranking.candidates[0].accuracy for of in (one, other)]
        assert widths[0] is not None
        assert widths[1] is not None
        assert widths[0].value - widths[0].low > 1.2 * (widths[1].value - widths[1].low)
