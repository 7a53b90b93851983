"""RankingService: hands out what the board holds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from pilotfish.v1 import ranking_pb2

from sidecar.domain.errors import NotFoundError, UnavailableError
from sidecar.serving.board import Board
from sidecar.serving.errors import Context, answers, streams


class RankingService:
    """Rankings leave as the bytes they were stored as: no call serialises a ranking again."""

    name = "pilotfish.v1.RankingService"

    def __init__(self, board: Board, *, max_watchers: int) -> None:
        self._board = board
        self._max_watchers = max_watchers
        self.watchers = 0

    def methods(self) -> grpc.GenericRpcHandler:
        """The service's methods, to be added to a server."""
        return grpc.method_handlers_generic_handler(
            self.name,
            {
                "GetRanking": grpc.unary_unary_rpc_method_handler(
                    answers(self.get), request_deserializer=ranking_pb2.GetRankingRequest.FromString
                ),
                "WatchRanking": grpc.unary_stream_rpc_method_handler(
                    streams(self.watch), request_deserializer=ranking_pb2.WatchRankingRequest.FromString
                ),
                "ExplainCandidate": grpc.unary_unary_rpc_method_handler(
                    answers(self.explain),
                    request_deserializer=ranking_pb2.ExplainCandidateRequest.FromString,
                    response_serializer=ranking_pb2.ExplainCandidateResponse.SerializeToString,
                ),
            },
        )

    async def get(self, request: ranking_pb2.GetRankingRequest, _: Context) -> bytes:
        """The newest ranking, serialised."""
        return self._board.snapshot(request.endpoint).response(request.segment)

    async def watch(self, request: ranking_pb2.WatchRankingRequest, _: Context) -> AsyncIterator[bytes]:
        """The newest ranking, then every newer one that the reader is in time for, serialised."""
        if self.watchers >= self._max_watchers:
            raise UnavailableError(f"{self.watchers} watchers already; see serve.max_watchers")
        self.watchers += 1
        try:
            version = 0
            while True:
                snapshot = await self._board.newer(request.endpoint, version)
                version = snapshot.version
                yield snapshot.response(request.segment)
        finally:
            self.watchers -= 1

    async def explain(
        self, request: ranking_pb2.ExplainCandidateRequest, _: Context
    ) -> ranking_pb2.ExplainCandidateResponse:
        """Why a candidate has its rank."""
        explanations = self._board.snapshot(request.endpoint).explanations
        if request.candidate not in explanations:
            known = ", ".join(explanations)
            raise NotFoundError(
                f"no candidate {request.candidate!r} in {request.endpoint!r}; there are: {known}"
            )
        return explanations[request.candidate]
