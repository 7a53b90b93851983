"""RankingService: hands out what the board holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from pilotfish.v1 import ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.core.errors import NotFoundError, UnavailableError
from sidecar.core.preference.objectives import DIRECTIONS
from sidecar.estimation.ranking.decision import decide
from sidecar.serving.board.board import Board, Endpoints, Snapshot
from sidecar.serving.errors import Context, answers, streams
from sidecar.wire.rankings import Occasion, ranking_message, read_preference, read_ranking


class RankingService:
    """Sends rankings as the bytes that the board keeps; only a call with a preference makes new ones."""

    name = "pilotfish.v1.RankingService"

    def __init__(self, endpoints: Endpoints, board: Board, *, max_watchers: int) -> None:
        self._endpoints = endpoints
        self._board = board
        self._max_watchers = max_watchers
        self.watchers = 0

    def methods(self) -> grpc.GenericRpcHandler:
        """Returns the service's method table for a gRPC server."""
        return grpc.method_handlers_generic_handler(
            self.name,
            {
                "GetRanking": grpc.unary_unary_rpc_method_handler(
                    answers(self.get), request_deserializer=ranking_pb2.GetRankingRequest.FromString
                ),
                "WatchRanking": grpc.unary_stream_rpc_method_handler(
                    streams(self.watch), request_deserializer=ranking_pb2.WatchRankingRequest.FromString
                ),
                "PinBaseline": grpc.unary_unary_rpc_method_handler(
                    answers(self.pin),
                    request_deserializer=ranking_pb2.PinBaselineRequest.FromString,
                    response_serializer=ranking_pb2.PinBaselineResponse.SerializeToString,
                ),
                "ListRevisions": grpc.unary_unary_rpc_method_handler(
                    answers(self.revisions),
                    request_deserializer=ranking_pb2.ListRevisionsRequest.FromString,
                    response_serializer=ranking_pb2.ListRevisionsResponse.SerializeToString,
                ),
                "ExplainCandidate": grpc.unary_unary_rpc_method_handler(
                    answers(self.explain),
                    request_deserializer=ranking_pb2.ExplainCandidateRequest.FromString,
                    response_serializer=ranking_pb2.ExplainCandidateResponse.SerializeToString,
                ),
            },
        )

    async def get(self, request: ranking_pb2.GetRankingRequest, _: Context) -> bytes:
        """Returns the newest ranking, serialised; it is decided anew if the caller gives a preference."""
        snapshot = self._board.snapshot(request.endpoint)
        if not request.HasField("preference"):
            return snapshot.response(request.segment)
        settings = self._endpoints.endpoint(request.endpoint)
        # Off the loop: what relays requests must not wait for the draws.
        return await asyncio.to_thread(_preferred, snapshot, settings, request)

    async def watch(self, request: ranking_pb2.WatchRankingRequest, _: Context) -> AsyncIterator[bytes]:
        """Yields the newest ranking, then each ranking that differs, serialised; a slow reader skips some."""
        if self.watchers >= self._max_watchers:
            raise UnavailableError(
                f"{self.watchers} watchers already; close a stream, or raise serve.max_watchers"
            )
        self.watchers += 1
        try:
            version = 0
            while True:
                snapshot = await self._board.newer(request.endpoint, version, changed=not request.every_round)
                version = snapshot.version
                yield snapshot.response(request.segment)
        finally:
            self.watchers -= 1

    async def pin(
        self, request: ranking_pb2.PinBaselineRequest, _: Context
    ) -> ranking_pb2.PinBaselineResponse:
        """Makes the newest ranking the baseline of drift."""
        self._board.snapshot(request.endpoint)
        return ranking_pb2.PinBaselineResponse(round=self._board.revisions(request.endpoint).pin())

    async def revisions(
        self, request: ranking_pb2.ListRevisionsRequest, _: Context
    ) -> ranking_pb2.ListRevisionsResponse:
        """Lists the newest revisions, the newest first."""
        kept = self._board.revisions(request.endpoint).newest(request.count)
        return ranking_pb2.ListRevisionsResponse(revisions=kept)

    async def explain(
        self, request: ranking_pb2.ExplainCandidateRequest, _: Context
    ) -> ranking_pb2.ExplainCandidateResponse:
        """Explains why a candidate has its rank."""
        explanations = self._board.snapshot(request.endpoint).explanations
        if request.candidate not in explanations:
            known = ", ".join(explanations)
            raise NotFoundError(
                f"no candidate {request.candidate!r} in {request.endpoint!r}; there are: {known}"
            )
        return explanations[request.candidate]


def _preferred(snapshot: Snapshot, settings: Endpoint, request: ranking_pb2.GetRankingRequest) -> bytes:
    """Decides the newest ranking anew by the caller's preference."""
    own = settings.ranking.preference
    preference = read_preference(request.preference, own, {**DIRECTIONS, **own.directions})
    message = snapshot.part(request.segment)
    drawn = snapshot.prospects.get(request.segment)
    if drawn is None:
        # Nothing was estimated, so there is nothing to prefer: the state says why.
        return snapshot.response(request.segment)
    decided = decide(read_ranking(message, drawn), preference)
    of = Occasion(message.endpoint, settings.incumbent, message.round, 0.0, preference)
    answer = ranking_message(decided, of, request.segment)
    answer.made_at.CopyFrom(message.made_at)
    if message.state == ranking_pb2.STATE_STALE:
        answer.state, answer.reason = message.state, message.reason
    recommended = message.recommendation.candidate
    for one in answer.candidates:
        one.recommended = one.name == recommended
    return ranking_pb2.GetRankingResponse(ranking=answer).SerializeToString()
