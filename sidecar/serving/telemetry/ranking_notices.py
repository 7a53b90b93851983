"""Logs changes of rankings: the state, the recommendation, candidates that become unavailable or return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from pilotfish.v1 import ranking_pb2

log = structlog.get_logger("pilotfish.ranking")


@dataclass(frozen=True, slots=True)
class _Standing:
    """The parts of a ranking whose change is logged."""

    state: ranking_pb2.State.ValueType
    recommended: str
    unavailable: Mapping[str, str]


class RankingNotices:
    """Compares each endpoint's ranking with that of the last look."""

    def __init__(self) -> None:
        self._seen: dict[str, _Standing] = {}

    def look(self, rankings: Mapping[str, ranking_pb2.Ranking]) -> None:
        """Logs what changed for each endpoint, and forgets endpoints that are gone."""
        seen, self._seen = self._seen, {}
        for endpoint, ranking in rankings.items():
            now = self._seen[endpoint] = _standing(ranking)
            before = seen.get(endpoint, _Standing(ranking_pb2.STATE_UNSPECIFIED, "", {}))
            bound = log.bind(endpoint=endpoint, round=ranking.round)
            if now.state != before.state:
                bound.info("ranking state", state=_name(now.state), reason=ranking.reason)
            if now.recommended != before.recommended:
                why = ranking.recommendation.reason
                bound.info(
                    "recommended candidate", candidate=now.recommended, before=before.recommended, reason=why
                )
            for name in now.unavailable.keys() - before.unavailable.keys():
                bound.warning("candidate unavailable", candidate=name, reason=now.unavailable[name])
            back = {one.name for one in ranking.candidates} - now.unavailable.keys()
            for name in before.unavailable.keys() & back:
                bound.info("candidate no longer unavailable", candidate=name)


def _standing(ranking: ranking_pb2.Ranking) -> _Standing:
    unavailable = {
        one.name: one.reason for one in ranking.candidates if one.state == ranking_pb2.STATE_UNAVAILABLE
    }
    return _Standing(ranking.state, ranking.recommendation.candidate, unavailable)


def _name(state: ranking_pb2.State.ValueType) -> str:
    return ranking_pb2.State.Name(state).removeprefix("STATE_")
