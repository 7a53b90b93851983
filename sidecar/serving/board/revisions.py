"""What an endpoint's ranking was before: its newest revisions, a baseline, and how far it is from them."""

from __future__ import annotations

from collections import deque
from typing import Final

from pilotfish.v1 import ranking_pb2

from sidecar.estimation.ranking.drift import Revision, drift
from sidecar.wire.rankings import read_estimate

# A day of rankings that change every five minutes.
_KEPT: Final = 288


class Revisions:
    """The revisions of one endpoint's ranking; a ranking that differs from the one before is one."""

    def __init__(self) -> None:
        self._kept: deque[ranking_pb2.Revision] = deque(maxlen=_KEPT)
        self._last: ranking_pb2.Ranking | None = None
        self._baseline: ranking_pb2.Ranking | None = None

    def hear(self, ranking: ranking_pb2.Ranking) -> bool:
        """Takes the newest ranking and writes into it how far it is from earlier ones.

        The first ranking that is OK is the baseline until another one is pinned.

        Returns:
            whether it differs from the one before.
        """
        for earlier, told in (
            (self._last, ranking.since_previous),
            (self._baseline, ranking.since_baseline),
        ):
            if earlier is not None:
                told.CopyFrom(_drift_message(earlier, ranking))
        new = self._last is None or fingerprint(self._last) != fingerprint(ranking)
        self._last = ranking
        if self._baseline is None and ranking.state == ranking_pb2.STATE_OK:
            self._baseline = ranking
        if new:
            self._kept.append(_revision_message(ranking))
        return new

    def pin(self) -> int:
        """Makes the newest ranking the baseline; returns its round, 0 where there is none yet."""
        self._baseline = self._last
        return self._baseline.round if self._baseline else 0

    def newest(self, count: int) -> list[ranking_pb2.Revision]:
        """Returns the newest revisions, the newest first; `count` 0 returns all that are kept."""
        return list(reversed(self._kept))[: count or None]


def fingerprint(ranking: ranking_pb2.Ranking) -> tuple[object, ...]:
    """What a watcher is told the change of: order, states, recommendation, the segments' best candidates."""
    return (
        ranking.state,
        ranking.recommendation.candidate,
        tuple((one.name, one.rank, one.state, one.incumbent) for one in ranking.candidates),
        tuple((one.name, one.state, one.top_candidate) for one in ranking.segments),
        ranking.preference.SerializeToString(deterministic=True),
    )


def _drift_message(earlier: ranking_pb2.Ranking, ranking: ranking_pb2.Ranking) -> ranking_pb2.Drift:
    found = drift(_revision(earlier), _revision(ranking))
    return ranking_pb2.Drift(
        round=earlier.round,
        made_at=earlier.made_at,
        kendall_tau=found.tau_b.value,
        overlap=found.overlap.value,
        top_changed=found.top_changed,
        overtakings=[
            ranking_pb2.Overtaking(
                candidate=one.winner,
                overtaken=one.loser,
                objective=one.most_moved.objective if one.most_moved else "",
            )
            for one in found.overtakings
        ],
    )


def _revision(ranking: ranking_pb2.Ranking) -> Revision:
    return Revision(
        ranks={one.name: one.rank for one in ranking.candidates},
        objectives={
            one.name: {known.name: read_estimate(known.value) for known in one.objectives}
            for one in ranking.candidates
        },
    )


def _revision_message(ranking: ranking_pb2.Ranking) -> ranking_pb2.Revision:
    return ranking_pb2.Revision(
        round=ranking.round,
        made_at=ranking.made_at,
        state=ranking.state,
        recommended=ranking.recommendation.candidate,
        candidates=[
            ranking_pb2.RevisedCandidate(name=one.name, rank=one.rank, objectives=one.objectives)
            for one in ranking.candidates
            if one.rank
        ],
    )
