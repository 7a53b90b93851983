"""The newest ranking of every endpoint, ready to be sent. A snapshot is replaced as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.core.errors import NotFoundError, UnavailableError
from sidecar.serving.board.revisions import Revisions


class Endpoints(Protocol):
    """Knows what is configured; `sidecar.serving.app` is it."""

    def endpoint(self, name: str) -> Endpoint:
        """Returns the endpoint with all its candidates; raises NotFoundError."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One endpoint's newest report.

    Attributes:
        ranking: as it was made, or as it is since it grew stale.
        segments: each segment's own, by name; in the order of `ranking.segments`.
        responses: the serialised GetRankingResponse by segment, the whole's under an empty name;
            WatchRankingResponse has the same bytes.
        explanations: by candidate name.
        heard_s: when the report came, on the board's clock.
        sampled: requests handed to scoring until then.
        generation: of the desired state that the report knows.
        version: grows with every report, and when the ranking grows stale.
        changed: the version in which the ranking last differed from the one before.
        prospects: what rankings were drawn from, by segment, the whole's under an empty name.
    """

    ranking: ranking_pb2.Ranking
    segments: Mapping[str, ranking_pb2.Ranking]
    responses: Mapping[str, bytes]
    explanations: Mapping[str, ranking_pb2.ExplainCandidateResponse]
    counters: scoring_pb2.ScoringCounters
    heard_s: float
    sampled: int
    generation: int
    version: int
    changed: int
    prospects: Mapping[str, scoring_pb2.Prospects]

    def part(self, segment: str) -> ranking_pb2.Ranking:
        """Returns the ranking of a segment like `response`; raises the same errors."""
        self.response(segment)
        return self.segments[segment] if segment else self.ranking

    def response(self, segment: str) -> bytes:
        """Returns the response for a segment; an empty name stands for the whole window.

        Raises:
            NotFoundError: there is no such segment.
        """
        if segment not in self.responses:
            known = ", ".join(self.segments) or "none: the window is not split"
            raise NotFoundError(f"no segment {segment!r} in {self.ranking.endpoint!r}; there are: {known}")
        return self.responses[segment]


@dataclass(slots=True)
class _Place:
    settings: Endpoint
    snapshot: Snapshot | None = None
    revisions: Revisions = field(default_factory=Revisions)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: bool = False

    def show(self, snapshot: Snapshot) -> None:
        """Swaps the snapshot. Whoever waits holds the old event; the next waits for the next change."""
        self.snapshot = snapshot
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


def _responses(whole: ranking_pb2.Ranking, segments: Mapping[str, ranking_pb2.Ranking]) -> dict[str, bytes]:
    return {
        name: ranking_pb2.GetRankingResponse(ranking=ranking).SerializeToString()
        for name, ranking in {"": whole, **segments}.items()
    }


def _stale(ranking: ranking_pb2.Ranking, reason: str) -> ranking_pb2.Ranking:
    stale = ranking_pb2.Ranking()
    stale.CopyFrom(ranking)
    parts: list[ranking_pb2.Ranking | ranking_pb2.Segment] = [stale, *stale.segments]
    for part in parts:
        part.state, part.reason = ranking_pb2.STATE_STALE, reason
    return stale


class Board:
    """Readers never wait for a computation and never see half of one."""

    def __init__(self, clock: Callable[[], float], sampled: Callable[[str], int]) -> None:
        """Prepares an empty board.

        Args:
            clock: seconds; only differences count.
            sampled: how many requests of an endpoint were handed to scoring.
        """
        self._clock = clock
        self._sampled = sampled
        self._closed = False
        self._places: dict[str, _Place] = {}

    def configure(self, endpoints: Iterable[Endpoint]) -> None:
        """Takes the endpoints that there are; those that stay keep their snapshot."""
        places = {}
        for endpoint in endpoints:
            place = self._places.get(endpoint.name) or _Place(endpoint)
            place.settings = endpoint
            places[endpoint.name] = place
        gone = [place for name, place in self._places.items() if name not in places]
        self._places = places
        for place in gone:
            place.changed.set()

    def close(self) -> None:
        """Ends all waiting; what is there can still be read."""
        self._closed = True
        for place in self._places.values():
            place.changed.set()

    def hear(self, report: scoring_pb2.Report, lost: str = "") -> None:
        """Publishes a report, unless its endpoint is gone. A sign of life publishes nothing.

        Args:
            report: as it came.
            lost: how the last scoring process ended; empty where none did.
        """
        if report.under_way in self._places:
            self._places[report.under_way].under_way = True
        place = self._places.get(report.endpoint)
        if place is None:
            return
        place.under_way = False
        segments = {one.segment: one for one in report.segments}
        ranking = report.ranking
        last = place.snapshot
        version = last.version + 1 if last else 1
        was_stale = last is not None and last.ranking.state == ranking_pb2.STATE_STALE
        new = place.revisions.hear(ranking) or was_stale
        if lost and ranking.items < place.settings.ranking.min_items:
            # The new scoring process cannot know why it has so few items.
            ranking.reason += f"; {lost}"
        for one in (*ranking.candidates, *(told.candidate for told in report.explanations)):
            one.recommended = one.name == ranking.recommendation.candidate
        place.show(
            Snapshot(
                ranking=ranking,
                segments=segments,
                responses=_responses(ranking, segments),
                explanations={one.candidate.name: one for one in report.explanations},
                counters=report.counters,
                heard_s=self._clock(),
                sampled=self._sampled(report.endpoint),
                generation=report.generation,
                version=version,
                changed=version if new or last is None else last.changed,
                prospects=report.prospects,
            )
        )

    def age(self, lost: str = "") -> None:
        """Marks the rankings that grew stale, and says why; to be called every second or so.

        Args:
            lost: why there is no scoring process; empty where there is one.
        """
        for name, place in self._places.items():
            snapshot, limit = place.snapshot, place.settings.ranking.stale_after
            if snapshot is None or self._clock() - snapshot.heard_s <= limit:
                continue
            reason = f"no new ranking for {limit:g} s: {lost or self._silence(name, place, snapshot)}"
            stale = snapshot.ranking.state == ranking_pb2.STATE_STALE
            if not stale or reason != snapshot.ranking.reason:
                whole = _stale(snapshot.ranking, reason)
                segments = {segment: _stale(one, reason) for segment, one in snapshot.segments.items()}
                place.show(
                    replace(
                        snapshot,
                        ranking=whole,
                        segments=segments,
                        responses=_responses(whole, segments),
                        version=snapshot.version + 1,
                        changed=snapshot.version + 1,
                    )
                )

    def _silence(self, name: str, place: _Place, snapshot: Snapshot) -> str:
        """Why a scoring process that runs gives no new ranking."""
        if place.under_way:
            return (
                "its next round is under way; give scoring.cpu_share more, or take away candidates, window "
                "items or measures, or raise ranking.stale_after"
            )
        if self._sampled(name) == snapshot.sampled:
            return "no request was sampled"
        return "requests come, and scoring does not answer"

    def snapshot(self, endpoint: str) -> Snapshot:
        """Returns the newest snapshot.

        Raises:
            NotFoundError: there is no such endpoint.
            UnavailableError: it has no ranking yet.
        """
        snapshot = self._place(endpoint).snapshot
        if snapshot is None:
            raise UnavailableError(
                f"endpoint {endpoint!r} has no ranking yet, as scoring is starting; try again"
            )
        return snapshot

    def snapshots(self) -> dict[str, Snapshot]:
        """Returns all snapshots by endpoint."""
        return {name: place.snapshot for name, place in self._places.items() if place.snapshot}

    def revisions(self, endpoint: str) -> Revisions:
        """Returns the endpoint's earlier rankings; raises NotFoundError."""
        return self._place(endpoint).revisions

    async def newer(self, endpoint: str, version: int, *, changed: bool = False) -> Snapshot:
        """Waits for a snapshot with a version above the given one; with `changed`, one that differs.

        Raises:
            NotFoundError: there is no such endpoint, or not any more.
            UnavailableError: the board is closed.
        """
        while True:
            place = self._place(endpoint)
            if self._closed:
                raise UnavailableError("Pilotfish is stopping; connect again to reach its next instance")
            newest = place.snapshot
            if newest is not None and (newest.changed if changed else newest.version) > version:
                return newest
            await place.changed.wait()

    async def at_generation(self, endpoint: str, generation: int) -> Snapshot:
        """Waits for a snapshot that knows a generation of the desired state; raises as `newer`."""
        version = 0
        while True:
            snapshot = await self.newer(endpoint, version)
            if snapshot.generation >= generation:
                return snapshot
            version = snapshot.version

    def _place(self, endpoint: str) -> _Place:
        place = self._places.get(endpoint)
        if place is None:
            raise NotFoundError(f"no endpoint {endpoint!r}; there are: {', '.join(self._places)}")
        return place
