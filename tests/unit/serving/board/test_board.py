import asyncio

import pytest
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.core.errors import NotFoundError, UnavailableError
from sidecar.serving.board.board import Board


def endpoint(name: str) -> Endpoint:
    candidate = {"name": "a", "profile": "a.st", "onnx": {"path": "a.onnx"}}
    return Endpoint.model_validate({"name": name, "incumbent": "a", "candidates": [candidate]})


def report(name: str, number: int) -> scoring_pb2.Report:
    ranking = ranking_pb2.Ranking(endpoint=name, round=number, state=ranking_pb2.STATE_OK)
    return scoring_pb2.Report(endpoint=name, ranking=ranking)


def test_says_what_is_missing() -> None:
    board = Board(lambda: 0.0, lambda _: 0)
    board.configure([endpoint("digits")])
    with pytest.raises(NotFoundError, match="no endpoint 'digit'; there are: digits"):
        board.snapshot("digit")
    with pytest.raises(UnavailableError, match="no ranking yet"):
        board.snapshot("digits")


def test_a_reader_that_is_slow_gets_the_newest() -> None:
    async def play() -> list[int]:
        board = Board(lambda: 0.0, lambda _: 0)
        board.configure([endpoint("digits")])
        waiting = asyncio.create_task(board.newer("digits", 0))
        await asyncio.sleep(0)
        board.hear(report("digits", 1))
        first = await waiting
        for number in (2, 3, 4):
            board.hear(report("digits", number))
        last = await board.newer("digits", first.version)
        return [first.ranking.round, last.ranking.round]

    assert asyncio.run(play()) == [1, 4]


def test_the_response_is_the_ranking() -> None:
    board = Board(lambda: 0.0, lambda _: 0)
    board.configure([endpoint("digits")])
    board.hear(report("digits", 7))
    response = board.snapshot("digits").response("")
    assert ranking_pb2.GetRankingResponse.FromString(response).ranking.round == 7
    assert ranking_pb2.WatchRankingResponse.FromString(response).ranking.round == 7


def test_a_segment_has_its_own_response_and_an_unknown_one_is_told_the_known() -> None:
    now = [0.0]
    board = Board(lambda: now[0], lambda _: 0)
    board.configure([endpoint("digits")])
    board.hear(report("digits", 1))
    with pytest.raises(
        NotFoundError, match="no segment 'eu' in 'digits'; there are: none: the window is not"
    ):
        board.snapshot("digits").response("eu")
    split = report("digits", 2)
    for name in ("eu", "other"):
        split.ranking.segments.add(name=name, state=ranking_pb2.STATE_OK)
        split.segments.add(endpoint="digits", round=2, segment=name, state=ranking_pb2.STATE_OK)
    board.hear(split)
    snapshot = board.snapshot("digits")
    for name in ("", "eu", "other"):
        answered = ranking_pb2.GetRankingResponse.FromString(snapshot.response(name)).ranking
        assert (answered.segment, answered.round) == (name, 2)
    with pytest.raises(NotFoundError, match="no segment 'us' in 'digits'; there are: eu, other"):
        snapshot.response("us")
    now[0] = 61.0
    board.age()
    for name in ("", "eu", "other"):
        old = ranking_pb2.GetRankingResponse.FromString(board.snapshot("digits").response(name)).ranking
        assert old.state == ranking_pb2.STATE_STALE
        assert all(one.state == ranking_pb2.STATE_STALE for one in old.segments)


def test_an_old_ranking_grows_stale_once_and_a_new_one_is_fresh() -> None:
    now, sampled = [0.0], [5]
    board = Board(lambda: now[0], lambda _: sampled[0])
    board.configure([endpoint("digits")])
    board.hear(report("digits", 1))
    now[0] = 60.0
    board.age()
    assert board.snapshot("digits").ranking.state == ranking_pb2.STATE_OK
    now[0] = 60.1
    board.age()
    stale = board.snapshot("digits")
    assert stale.ranking.state == ranking_pb2.STATE_STALE
    assert stale.ranking.reason == "no new ranking for 60 s: no request was sampled"
    board.age()
    assert board.snapshot("digits") is stale
    board.hear(report("digits", 2))
    assert board.snapshot("digits").ranking.state == ranking_pb2.STATE_OK
    sampled[0], now[0] = 6, 200.0
    board.age()
    assert "scoring does not answer" in board.snapshot("digits").ranking.reason


def aged(board: Board, lost: str = "") -> str:
    board.age(lost)
    return board.snapshot("digits").ranking.reason


def test_a_stale_ranking_says_that_a_round_is_under_way_or_that_scoring_is_lost() -> None:
    now = [0.0]
    board = Board(lambda: now[0], lambda _: 5)
    board.configure([endpoint("digits")])
    board.hear(report("digits", 1))
    now[0] = 61.0
    assert aged(board).endswith("no request was sampled")
    board.hear(scoring_pb2.Report(under_way="digits"))
    board.hear(scoring_pb2.Report(under_way="gone"))
    assert "its next round is under way" in aged(board)
    version = board.snapshot("digits").version
    assert aged(board, "the scoring process ended").endswith("60 s: the scoring process ended")
    assert board.snapshot("digits").version == version + 1
    board.hear(report("digits", 2))
    now[0] = 130.0
    assert aged(board).endswith("no request was sampled")


def test_too_few_items_after_a_loss_say_what_was_lost() -> None:
    board = Board(lambda: 0.0, lambda _: 0)
    board.configure([endpoint("digits")])
    for items, reason in ((49, "few; the scoring process ended"), (50, "few")):
        made = report("digits", 1)
        made.ranking.items, made.ranking.reason = items, "few"
        board.hear(made, "the scoring process ended")
        assert board.snapshot("digits").ranking.reason == reason


def test_a_watcher_of_a_removed_endpoint_is_told() -> None:
    async def play() -> None:
        board = Board(lambda: 0.0, lambda _: 0)
        board.configure([endpoint("digits"), endpoint("other")])
        waiting = asyncio.create_task(board.newer("digits", 0))
        await asyncio.sleep(0)
        board.configure([endpoint("other")])
        with pytest.raises(NotFoundError):
            await waiting

    asyncio.run(play())
