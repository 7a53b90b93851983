"""PerformanceService: what a candidate costs here in a configuration."""

from __future__ import annotations

import asyncio

import grpc
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import performance_pb2, ranking_pb2

from sidecar.config.schema import Candidate, Endpoint, Performance
from sidecar.core.errors import InvalidError, NotFoundError
from sidecar.costs.candidate import Costs
from sidecar.estimation.performance.space import Value
from sidecar.serving.board.board import Board, Endpoints
from sidecar.serving.errors import Context, answers


class PerformanceService:
    """Answers from the candidate's model file and, where they fit its options, the newest shadow timings."""

    name = "pilotfish.v1.PerformanceService"

    def __init__(self, endpoints: Endpoints, board: Board, *, shadow_threads: int) -> None:
        """Prepares; no file is read before it is asked for.

        Args:
            endpoints: what is configured.
            board: holds the newest shadow timings.
            shadow_threads: of candidates whose configuration names none.
        """
        self._endpoints = endpoints
        self._board = board
        self._costs = Costs(shadow_threads=shadow_threads)

    def methods(self) -> grpc.GenericRpcHandler:
        """Returns the service's method table for a gRPC server."""
        return grpc.method_handlers_generic_handler(
            self.name,
            {
                "Predict": grpc.unary_unary_rpc_method_handler(
                    answers(self.predict),
                    request_deserializer=performance_pb2.PredictRequest.FromString,
                    response_serializer=performance_pb2.PredictResponse.SerializeToString,
                )
            },
        )

    async def predict(
        self, request: performance_pb2.PredictRequest, _: Context
    ) -> performance_pb2.PredictResponse:
        """Predicts a candidate's costs in a configuration, whether it was measured or not."""
        candidate = _find(self._endpoints.endpoint(request.endpoint), request.candidate)
        if candidate.performance is None:
            return _unavailable(
                "the candidate has no `performance` in the configuration: add one that "
                "names a performance model"
            )
        snapshot = self._board.snapshots().get(request.endpoint)
        timings = snapshot.counters.shadow_timings if snapshot else {}
        timing = timings.get(candidate.name, scoring_pb2.ShadowTiming())
        # Off the loop: what relays requests must not wait for matrix products.
        return await asyncio.to_thread(self._predicted, candidate, candidate.performance, timing, request)

    def _predicted(
        self,
        candidate: Candidate,
        performance: Performance,
        timing: scoring_pb2.ShadowTiming,
        request: performance_pb2.PredictRequest,
    ) -> performance_pb2.PredictResponse:
        try:
            self._costs.read(performance)
        except InvalidError as error:
            return _unavailable(str(error))
        asked = {name: _value(name, value) for name, value in request.configuration.items()}
        found = self._costs.predicted(candidate, performance, timing, asked)
        return performance_pb2.PredictResponse(
            state=ranking_pb2.STATE_OK,
            configuration={name: _option_value(value) for name, value in found.configuration.items()},
            objectives=[
                performance_pb2.PredictedObjective(
                    name=name,
                    value=ranking_pb2.Estimate(value=one.value, low=one.low, high=one.high, level=one.level),
                    shadow_runs=timing.runs if name in found.moved else 0,
                )
                for name, one in found.objectives.items()
            ],
            environment=found.environment,
        )


def _find(endpoint: Endpoint, name: str) -> Candidate:
    for candidate in endpoint.candidates:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in endpoint.candidates)
    raise NotFoundError(f"no candidate {name!r} in {endpoint.name!r}; there are: {known}")


def _unavailable(reason: str) -> performance_pb2.PredictResponse:
    return performance_pb2.PredictResponse(state=ranking_pb2.STATE_UNAVAILABLE, reason=reason)


def _value(name: str, value: performance_pb2.OptionValue) -> Value:
    match value.WhichOneof("kind"):
        case "text":
            return value.text
        case "flag":
            return value.flag
        case "number":
            return int(value.number) if value.number.is_integer() else value.number
    raise InvalidError(f"configuration: option {name!r} has no value; set text, number or flag")


def _option_value(value: Value) -> performance_pb2.OptionValue:
    if isinstance(value, bool):
        return performance_pb2.OptionValue(flag=value)
    if isinstance(value, str):
        return performance_pb2.OptionValue(text=value)
    return performance_pb2.OptionValue(number=value)
