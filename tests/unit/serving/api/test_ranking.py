"""RankingService with a board that the test fills and no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.core.errors import NotFoundError, UnavailableError
from sidecar.core.ranking import CandidateRank, Estimate, Prospects, Ranking, Recommended, State
from sidecar.core.tensors import Floats
from sidecar.estimation.ranking.decision import decide
from sidecar.serving.api.ranking import RankingService
from sidecar.serving.board.board import Board
from sidecar.wire.rankings import (
    Occasion,
    explanation_message,
    prospects_message,
    ranking_message,
    recommendation_message,
)

_CONTEXT: Any = None
COST = "eur_per_item"
BY_COST = ranking_pb2.Preference(
    objectives=[ranking_pb2.Objective(name=COST, direction=ranking_pb2.DIRECTION_MIN)]
)
KNOWN = {"good": (0.9, 4.0), "cheap": (0.7, 1.0)}


class Stage:
    """One endpoint that was split in two, its board, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        files = {"profile": "p", "onnx": {"path": "m.onnx"}}
        self.settings = Endpoint.model_validate(
            {"name": "e", "incumbent": "good", "candidates": [{"name": name, **files} for name in KNOWN]}
        )
        self.board = Board(lambda: self.now, lambda _: 0)
        self.board.configure([self.settings])
        self.service = RankingService(self, self.board, max_watchers=1)

    def endpoint(self, name: str) -> Endpoint:
        if name != "e":
            raise NotFoundError(name)
        return self.settings

    def hear(self, number: int = 1, *, estimated: bool = True) -> None:
        of = Occasion("e", "good", number, 1.7e9, self.settings.ranking.preference)
        made = decide(undecided(), of.preference) if estimated else too_few()
        whole = ranking_message(made, of)
        recommended = Recommended("good", "", 0.0, 0, "it serves")
        whole.recommendation.CopyFrom(recommendation_message(recommended))
        segment = ranking_message(made, of, "eu")
        prospects = prospects_message(made.prospects) if made.prospects else None
        self.board.hear(
            scoring_pb2.Report(
                endpoint="e",
                ranking=whole,
                segments=[segment],
                explanations=[explanation_message(one, of) for one in made.candidates],
                prospects={"": prospects, "eu": prospects} if prospects else {},
            )
        )

    def get(self, preference: ranking_pb2.Preference | None = None, segment: str = "") -> ranking_pb2.Ranking:
        request = ranking_pb2.GetRankingRequest(endpoint="e", segment=segment, preference=preference)
        answer = asyncio.run(self.service.get(request, _CONTEXT))
        return ranking_pb2.GetRankingResponse.FromString(answer).ranking


def undecided() -> Ranking:
    draws: dict[str, dict[str, Floats]] = {
        name: {"accuracy": np.full(20, accuracy), COST: np.full(20, cost)}
        for name, (accuracy, cost) in KNOWN.items()
    }
    lines = tuple(
        CandidateRank(name, 0, State.OK, "", Estimate(accuracy, accuracy, accuracy))
        for name, (accuracy, _) in KNOWN.items()
    )
    return Ranking(100, State.OK, "", lines, prospects=Prospects(draws, None))


def too_few() -> Ranking:
    """Too few items for an estimate."""
    lines = tuple(CandidateRank(name, 0, State.INSUFFICIENT_DATA, "few", None) for name in KNOWN)
    return Ranking(10, State.INSUFFICIENT_DATA, "few", lines)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def order(ranking: ranking_pb2.Ranking) -> list[str]:
    return [one.name for one in ranking.candidates]


def test_a_preference_decides_anew_and_leaves_the_board_as_it_is(stage: Stage) -> None:
    stage.hear()
    own = stage.get()
    assert order(own) == ["good", "cheap"]
    found = stage.get(BY_COST)
    assert (order(found), found.state, found.round) == (["cheap", "good"], ranking_pb2.STATE_OK, 1)
    assert (found.made_at, found.items, found.endpoint) == (own.made_at, 100, "e")
    assert [(one.incumbent, one.recommended) for one in found.candidates] == [(False, False), (True, True)]
    assert stage.get() == own


def test_the_endpoints_own_preference_gives_its_own_answer(stage: Stage) -> None:
    stage.hear()
    own = stage.get()
    found = stage.get(ranking_pb2.Preference())
    own.ClearField("recommendation")
    assert found == own


def test_a_segment_is_decided_by_its_own_draws(stage: Stage) -> None:
    stage.hear()
    found = stage.get(BY_COST, segment="eu")
    assert (found.segment, order(found)) == ("eu", ["cheap", "good"])
    with pytest.raises(NotFoundError, match="no segment 'us' in 'e'; there are: eu"):
        stage.get(BY_COST, segment="us")


@pytest.mark.parametrize("segment", ["", "eu"])
def test_an_old_ranking_is_stale_whatever_is_preferred(stage: Stage, segment: str) -> None:
    stage.hear()
    stage.now = 61.0
    stage.board.age()
    found = stage.get(BY_COST, segment)
    assert found.state == ranking_pb2.STATE_STALE
    assert found.reason == "no new ranking for 60 s: no request was sampled"
    assert order(found) == ["cheap", "good"]


def test_where_nothing_was_estimated_the_state_says_so_whatever_is_preferred(stage: Stage) -> None:
    stage.hear(estimated=False)
    assert stage.get(BY_COST).state == ranking_pb2.STATE_INSUFFICIENT_DATA
    assert stage.get(BY_COST).reason == "few"


def test_a_candidate_is_explained_with_the_probability_of_beating_each_other_one(stage: Stage) -> None:
    stage.hear()

    def explain(name: str) -> ranking_pb2.ExplainCandidateResponse:
        request = ranking_pb2.ExplainCandidateRequest(endpoint="e", candidate=name)
        return asyncio.run(stage.service.explain(request, _CONTEXT))

    assert dict(explain("good").p_beats) == {"cheap": 1.0}
    assert dict(explain("cheap").p_beats) == {"good": 0.0}
    with pytest.raises(NotFoundError, match="no candidate 'bad' in 'e'; there are: good, cheap"):
        explain("bad")


def test_a_baseline_is_a_ranking_that_there_is(stage: Stage) -> None:
    request = ranking_pb2.PinBaselineRequest(endpoint="e")
    with pytest.raises(UnavailableError, match="no ranking yet"):
        asyncio.run(stage.service.pin(request, _CONTEXT))
    stage.hear(4)
    assert asyncio.run(stage.service.pin(request, _CONTEXT)).round == 4
    stage.hear(5)
    assert stage.get().since_baseline.round == 4


def test_watchers_are_bounded_and_a_place_is_free_again_when_one_leaves(stage: Stage) -> None:
    async def play() -> None:
        request = ranking_pb2.WatchRankingRequest(endpoint="e")
        first = stage.service.watch(request, _CONTEXT)
        await anext(first)
        with pytest.raises(
            UnavailableError, match=r"1 watchers already; close a stream, or raise serve\.max_watchers"
        ):
            await anext(stage.service.watch(request, _CONTEXT))
        assert isinstance(first, AsyncGenerator)
        await first.aclose()
        await anext(stage.service.watch(request, _CONTEXT))

    stage.hear()
    asyncio.run(play())
