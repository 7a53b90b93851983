"""What is logged of rankings: what changed, with endpoint, round and candidate, and nothing twice."""

from __future__ import annotations

from pilotfish.v1 import ranking_pb2
from structlog.testing import capture_logs
from structlog.typing import EventDict

from sidecar.serving.telemetry.ranking_notices import RankingNotices

OK, TIED, GONE = ranking_pb2.STATE_OK, ranking_pb2.STATE_TIED, ranking_pb2.STATE_UNAVAILABLE


def ranking(
    number: int, state: ranking_pb2.State.ValueType = OK, recommended: str = "a", gone: tuple[str, ...] = ()
) -> ranking_pb2.Ranking:
    return ranking_pb2.Ranking(
        round=number,
        state=state,
        reason="because",
        recommendation=ranking_pb2.Recommendation(candidate=recommended, reason="evidence"),
        candidates=[
            ranking_pb2.RankedCandidate(name=name, state=GONE if name in gone else OK, reason="timed out")
            for name in ("a", "b")
        ],
    )


def said(notices: RankingNotices, **rankings: ranking_pb2.Ranking) -> list[EventDict]:
    with capture_logs() as lines:
        notices.look(rankings)
    return list(lines)


def test_what_is_new_is_said_once() -> None:
    notices = RankingNotices()
    first = said(notices, e=ranking(1))
    assert [one["event"] for one in first] == ["ranking state", "recommended candidate"]
    assert all((one["endpoint"], one["round"]) == ("e", 1) for one in first)
    assert not said(notices, e=ranking(2))


def test_a_change_names_endpoint_round_and_candidate() -> None:
    notices = RankingNotices()
    said(notices, e=ranking(1), other=ranking(1))
    assert said(notices, e=ranking(2, TIED, "b"), other=ranking(2)) == [
        {
            "event": "ranking state",
            "endpoint": "e",
            "round": 2,
            "state": "TIED",
            "reason": "because",
            "log_level": "info",
        },
        {
            "event": "recommended candidate",
            "endpoint": "e",
            "round": 2,
            "candidate": "b",
            "before": "a",
            "reason": "evidence",
            "log_level": "info",
        },
    ]


def test_a_candidate_that_goes_and_comes_back() -> None:
    notices = RankingNotices()
    said(notices, e=ranking(1))
    (gone,) = said(notices, e=ranking(2, gone=("b",)))
    assert (gone["event"], gone["log_level"]) == ("candidate unavailable", "warning")
    assert (gone["candidate"], gone["reason"], gone["round"]) == ("b", "timed out", 2)
    assert not said(notices, e=ranking(3, gone=("b",)))
    (back,) = said(notices, e=ranking(4))
    assert (back["event"], back["candidate"]) == ("candidate no longer unavailable", "b")


def test_an_endpoint_that_is_gone_is_forgotten() -> None:
    notices = RankingNotices()
    said(notices, e=ranking(1))
    assert not said(notices)
    assert len(said(notices, e=ranking(1))) == 2
