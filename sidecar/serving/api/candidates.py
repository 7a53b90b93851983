"""CandidateService: lists, adds and removes candidates at run time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

import grpc
from pilotfish.v1 import candidate_pb2, ranking_pb2

from sidecar.config.schema import Candidate, Endpoint
from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.serving.board.board import Board
from sidecar.serving.errors import Context, answers

_LOADING = "waits for its first round"
_LOADING_S = 30.0


class Registry(Protocol):
    """Keeps which candidates an endpoint has; `sidecar.serving.app` is it."""

    def endpoint(self, name: str) -> Endpoint:
        """Returns the endpoint with all its candidates; raises NotFoundError."""
        ...

    def configured(self, endpoint: str) -> frozenset[str]:
        """Returns the names of the candidates that the file lists."""
        ...

    def register(self, endpoint: str, *, name: str, profile: Path, onnx: Path) -> int:
        """Adds a candidate and returns the first generation that has it; raises InvalidError."""
        ...

    def remove(self, endpoint: str, name: str) -> None:
        """Removes a candidate; raises InvalidError or NotFoundError."""
        ...


class CandidateService:
    """Answers from the registry of candidates and the board."""

    name = "pilotfish.v1.CandidateService"

    def __init__(self, registry: Registry, board: Board) -> None:
        self._registry = registry
        self._board = board

    def methods(self) -> grpc.GenericRpcHandler:
        """Returns the service's method table for a gRPC server."""
        return grpc.method_handlers_generic_handler(
            self.name,
            {
                "ListCandidates": grpc.unary_unary_rpc_method_handler(
                    answers(self.list),
                    request_deserializer=candidate_pb2.ListCandidatesRequest.FromString,
                    response_serializer=candidate_pb2.ListCandidatesResponse.SerializeToString,
                ),
                "RegisterCandidate": grpc.unary_unary_rpc_method_handler(
                    answers(self.register),
                    request_deserializer=candidate_pb2.RegisterCandidateRequest.FromString,
                    response_serializer=candidate_pb2.RegisterCandidateResponse.SerializeToString,
                ),
                "RemoveCandidate": grpc.unary_unary_rpc_method_handler(
                    answers(self.remove),
                    request_deserializer=candidate_pb2.RemoveCandidateRequest.FromString,
                    response_serializer=candidate_pb2.RemoveCandidateResponse.SerializeToString,
                ),
            },
        )

    async def list(
        self, request: candidate_pb2.ListCandidatesRequest, _: Context
    ) -> candidate_pb2.ListCandidatesResponse:
        """Lists the endpoint's candidates with their states."""
        endpoint = self._registry.endpoint(request.endpoint)
        configured = self._registry.configured(request.endpoint)
        snapshot = self._board.snapshots().get(request.endpoint)
        ranked = {one.name: one for one in snapshot.ranking.candidates} if snapshot else {}
        missing = ranking_pb2.RankedCandidate(state=ranking_pb2.STATE_INSUFFICIENT_DATA, reason=_LOADING)
        return candidate_pb2.ListCandidatesResponse(
            candidates=[
                candidate_pb2.CandidateStatus(
                    candidate=_message(one),
                    state=ranked.get(one.name, missing).state,
                    reason=ranked.get(one.name, missing).reason,
                    incumbent=one.name == endpoint.incumbent,
                    configured=one.name in configured,
                )
                for one in endpoint.candidates
            ]
        )

    async def register(
        self, request: candidate_pb2.RegisterCandidateRequest, _: Context
    ) -> candidate_pb2.RegisterCandidateResponse:
        """Adds a candidate and waits until its files were read; one that cannot answer is not kept."""
        wanted = request.candidate
        for key in ("name", "profile_path", "onnx_path"):
            if not getattr(wanted, key):
                raise InvalidError(f"candidate.{key} is empty; give it a value")
        generation = self._registry.register(
            request.endpoint, name=wanted.name, profile=Path(wanted.profile_path), onnx=Path(wanted.onnx_path)
        )
        try:
            async with asyncio.timeout(_LOADING_S):
                snapshot = await self._board.at_generation(request.endpoint, generation)
        except TimeoutError as error:
            raise UnavailableError(
                f"{wanted.name!r} is registered, and scoring has not read its files yet; see ListCandidates"
            ) from error
        status = snapshot.explanations[wanted.name].candidate
        if status.state == ranking_pb2.STATE_UNAVAILABLE:
            self._registry.remove(request.endpoint, wanted.name)
            raise InvalidError(f"{wanted.name!r} cannot answer: {status.reason}")
        return candidate_pb2.RegisterCandidateResponse()

    async def remove(
        self, request: candidate_pb2.RemoveCandidateRequest, _: Context
    ) -> candidate_pb2.RemoveCandidateResponse:
        """Removes a candidate."""
        self._registry.remove(request.endpoint, request.name)
        return candidate_pb2.RemoveCandidateResponse()


def _message(candidate: Candidate) -> candidate_pb2.Candidate:
    return candidate_pb2.Candidate(
        name=candidate.name,
        profile_path=str(candidate.profile),
        onnx_path=str(candidate.onnx.path) if candidate.onnx else "",
    )
