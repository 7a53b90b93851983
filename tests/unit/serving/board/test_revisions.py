from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.serving.board.board import Board, Snapshot
from sidecar.serving.board.revisions import Revisions, fingerprint

OK, TIED = ranking_pb2.STATE_OK, ranking_pb2.STATE_TIED
KEPT = 288


def ranking(
    number: int, order: str, *, state: ranking_pb2.State.ValueType = OK, recommended: str = "a"
) -> ranking_pb2.Ranking:
    """Candidates best first; behind a dash those without a rank."""
    ranked, _, unranked = order.partition("-")
    made = ranking_pb2.Ranking(
        endpoint="e", round=number, made_at=Timestamp(seconds=number), items=100, state=state
    )
    for place, name in enumerate(ranked, start=1):
        accuracy = ranking_pb2.Estimate(value=1 - place / 10, low=0.0, high=1.0)
        made.candidates.add(name=name, rank=place, state=OK).objectives.add(name="accuracy", value=accuracy)
    for name in unranked:
        made.candidates.add(name=name, state=ranking_pb2.STATE_BREAKS_CONSTRAINT)
    made.recommendation.candidate = recommended
    return made


def test_the_history_is_bounded_and_newest_first() -> None:
    revisions = Revisions()
    for number in range(1, KEPT + 13):
        assert revisions.hear(ranking(number, "ab" if number % 2 else "ba"))
    kept = [one.round for one in revisions.newest(0)]
    assert kept == list(range(KEPT + 12, 12, -1))
    assert [one.round for one in revisions.newest(3)] == kept[:3]
    assert [one.round for one in revisions.newest(KEPT + 5)] == kept


def test_only_a_ranking_that_differs_is_a_revision() -> None:
    revisions = Revisions()
    heard = [
        revisions.hear(ranking(number, order)) for number, order in enumerate(["ab", "ab", "ba", "ba", "ab"])
    ]
    assert heard == [True, False, True, False, True]
    assert [one.round for one in revisions.newest(0)] == [4, 2, 0]


def test_a_revision_tells_who_was_ranked_and_what_was_known() -> None:
    revisions = Revisions()
    revisions.hear(ranking(7, "ba-c", recommended="b"))
    (found,) = revisions.newest(1)
    assert (found.round, found.made_at.seconds, found.state, found.recommended) == (7, 7, OK, "b")
    assert [(one.name, one.rank) for one in found.candidates] == [("b", 1), ("a", 2)]
    assert found.candidates[0].objectives[0].value.value == pytest.approx(0.9)


def same(made: ranking_pb2.Ranking) -> None:
    made.round, made.items, made.reason = 9, 200, "another word"
    made.made_at.seconds = 99
    made.candidates[0].accuracy.value = 0.123
    made.candidates[0].p_best = 0.5
    made.recommendation.evidence = 0.7
    made.segments[0].share = 0.3


def order(made: ranking_pb2.Ranking) -> None:
    made.candidates[1].rank = 1


def candidate_state(made: ranking_pb2.Ranking) -> None:
    made.candidates[1].state = TIED


def state(made: ranking_pb2.Ranking) -> None:
    made.state = TIED


def recommendation(made: ranking_pb2.Ranking) -> None:
    made.recommendation.candidate = "b"


def removed(made: ranking_pb2.Ranking) -> None:
    del made.candidates[1]


def incumbent(made: ranking_pb2.Ranking) -> None:
    made.candidates[1].incumbent = True


def segment(made: ranking_pb2.Ranking) -> None:
    made.segments[0].top_candidate = "b"


def preference(made: ranking_pb2.Ranking) -> None:
    made.preference.lexicographic = True


def changed(change: Callable[[ranking_pb2.Ranking], None]) -> bool:
    before = ranking(1, "ab")
    before.segments.add(name="eu", share=0.5, top_candidate="a")
    after = ranking_pb2.Ranking()
    after.CopyFrom(before)
    change(after)
    assert after != before
    return fingerprint(after) != fingerprint(before)


@pytest.mark.parametrize(
    "change", [order, candidate_state, state, recommendation, removed, incumbent, segment, preference]
)
def test_what_makes_a_ranking_another_one(change: Callable[[ranking_pb2.Ranking], None]) -> None:
    assert changed(change)


def test_numbers_and_words_alone_do_not_make_a_ranking_another_one() -> None:
    assert not changed(same)


def test_the_first_ranking_that_is_ok_is_the_baseline() -> None:
    revisions = Revisions()
    for number, (order, state) in enumerate([("ab", TIED), ("ab", OK), ("ba", OK), ("ba", OK)], start=1):
        newest = ranking(number, order, state=state)
        revisions.hear(newest)
        assert newest.HasField("since_previous") == (number > 1)
        assert newest.HasField("since_baseline") == (number > 2)
    assert (newest.since_previous.round, newest.since_baseline.round) == (3, 2)


def test_drift_tells_how_far_the_ranking_is_from_the_one_before_and_from_the_baseline() -> None:
    revisions = Revisions()
    for number, order in enumerate(["abc", "bac"], start=1):
        revisions.hear(ranking(number, order))
    newest = ranking(3, "bca")
    revisions.hear(newest)
    before, base = newest.since_previous, newest.since_baseline
    assert (before.round, before.made_at.seconds, before.top_changed) == (2, 2, False)
    # Of three pairs one changed since the last round and two since the first.
    assert [before.kendall_tau, base.kendall_tau] == pytest.approx([1 / 3, -1 / 3])
    assert [(one.candidate, one.overtaken) for one in before.overtakings] == [("c", "a")]
    assert (base.round, base.top_changed) == (1, True)
    assert [(one.candidate, one.overtaken, one.objective) for one in base.overtakings] == [
        ("b", "a", "accuracy"),
        ("c", "a", "accuracy"),
    ]
    assert 0 < base.overlap < before.overlap < 1


def test_what_is_not_defined_is_absent() -> None:
    revisions = Revisions()
    revisions.hear(ranking(1, "a"))
    alone = ranking(2, "a")
    revisions.hear(alone)
    assert not alone.since_previous.HasField("kendall_tau")
    assert alone.since_previous.overlap == pytest.approx(1)
    nobody = ranking(3, "-a")
    revisions.hear(nobody)
    assert not nobody.since_previous.HasField("overlap")
    assert nobody.since_previous.top_changed


def test_a_pinned_ranking_is_the_baseline_from_then_on() -> None:
    revisions = Revisions()
    assert revisions.pin() == 0
    for number, order in enumerate(["ab", "ba"], start=1):
        revisions.hear(ranking(number, order))
    assert revisions.pin() == 2
    newest = ranking(3, "ba")
    revisions.hear(newest)
    assert (newest.since_baseline.round, newest.since_baseline.top_changed) == (2, False)


def test_a_pin_before_the_first_ranking_keeps_none_from_being_the_baseline() -> None:
    revisions = Revisions()
    revisions.pin()
    revisions.hear(ranking(1, "ab"))
    newest = ranking(2, "ab")
    revisions.hear(newest)
    assert newest.since_baseline.round == 1


class Stage:
    """A board with one endpoint, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.board = Board(lambda: self.now, lambda _: 0)
        candidate = {"profile": "p", "onnx": {"path": "m.onnx"}}
        self.board.configure(
            [
                Endpoint.model_validate(
                    {
                        "name": "e",
                        "incumbent": "a",
                        "candidates": [{"name": name, **candidate} for name in "ab"],
                    }
                )
            ]
        )

    def hear(self, made: ranking_pb2.Ranking) -> None:
        explained = [ranking_pb2.ExplainCandidateResponse(candidate=one) for one in made.candidates]
        self.board.hear(scoring_pb2.Report(endpoint="e", ranking=made, explanations=explained))

    async def told(self, version: int) -> Snapshot | None:
        """What a watcher who knows a version is told at once; None where it waits."""
        waiting = asyncio.ensure_future(self.board.newer("e", version, changed=True))
        # It either has its answer after one turn of the loop or waits for the next report.
        await asyncio.sleep(0)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        return None


def test_a_watcher_is_told_of_changes_only() -> None:
    async def play() -> list[int]:
        stage, rounds, version = Stage(), [], 0
        for number, order in enumerate(["ab", "ab", "ba", "ba", "ab"], start=1):
            stage.hear(ranking(number, order))
            told = await stage.told(version)
            if told is not None:
                rounds.append(told.ranking.round)
                version = told.version
        return rounds

    assert asyncio.run(play()) == [1, 3, 5]


def test_a_watcher_that_waits_sleeps_through_what_did_not_change() -> None:
    async def play() -> int:
        stage = Stage()
        stage.hear(ranking(1, "ab"))
        waiting = asyncio.ensure_future(stage.board.newer("e", 1, changed=True))
        for number, order in enumerate(["ab", "ab", "ba"], start=2):
            await asyncio.sleep(0)
            assert not waiting.done()
            stage.hear(ranking(number, order))
        return (await waiting).ranking.round

    assert asyncio.run(play()) == 4


def test_a_watcher_that_slept_through_a_change_is_told_the_newest() -> None:
    async def play() -> int | None:
        stage = Stage()
        for number, order in enumerate(["ab", "ba", "ba"], start=1):
            stage.hear(ranking(number, order))
        told = await stage.told(1)
        return told.ranking.round if told else None

    assert asyncio.run(play()) == 3


def test_growing_stale_and_coming_back_are_changes_and_no_revisions() -> None:
    async def play() -> list[ranking_pb2.State.ValueType]:
        stage, states, version = Stage(), [], 0
        for step in (1, None, None, 2, 3):
            if step is None:
                stage.now += 61
                stage.board.age()
            else:
                stage.hear(ranking(step, "ab"))
            told = await stage.told(version)
            if told is not None:
                states.append(told.ranking.state)
                version = told.version
        assert [one.round for one in stage.board.revisions("e").newest(0)] == [1]
        return states

    assert asyncio.run(play()) == [OK, ranking_pb2.STATE_STALE, OK]


def test_the_recommended_candidate_is_marked_wherever_it_is_shown() -> None:
    stage = Stage()
    stage.hear(ranking(1, "ab", recommended="b"))
    snapshot = stage.board.snapshot("e")
    assert [one.recommended for one in snapshot.ranking.candidates] == [False, True]
    assert snapshot.explanations["b"].candidate.recommended
    assert not snapshot.explanations["a"].candidate.recommended
