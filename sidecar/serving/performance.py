"""PerformanceService: what a candidate costs here in a configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import grpc
import numpy as np
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import performance_pb2, ranking_pb2

from sidecar.config.schema import Candidate, Endpoint, Performance
from sidecar.domain.errors import InvalidError, NotFoundError
from sidecar.domain.ranking import Estimate
from sidecar.domain.tensors import Floats
from sidecar.files import file_stamp
from sidecar.measuring.options import ONNX, shadow_configuration, written
from sidecar.performance.model import PerformanceModel
from sidecar.performance.sharpen import Shift, Timing, likeness, moved, shift
from sidecar.performance.space import Value
from sidecar.records.model import read_models
from sidecar.serving.board import Board
from sidecar.serving.errors import Context, answers

# What a shift of the time does to each: a quantile moves with it, what is done in a second against it.
_MOVES: Final = {"latency_p50_s": 1, "latency_p99_s": 1, "throughput_per_s": -1}
_TIMED: Final = "latency_p50_s"

_Models = Mapping[str, PerformanceModel]


class Endpoints(Protocol):
    """Knows what is configured; `sidecar.app` is it."""

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint with all its candidates, or NotFoundError."""
        ...


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
        self._shadow_threads = shadow_threads
        self._read: dict[Path, tuple[object, _Models]] = {}

    def methods(self) -> grpc.GenericRpcHandler:
        """The service's methods, to be added to a server."""
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
        """A candidate's costs in a configuration, measured or not."""
        candidate = _find(self._endpoints.endpoint(request.endpoint), request.candidate)
        if candidate.performance is None:
            return _unavailable("the candidate has no `performance` in the configuration: name a model there")
        timing = self._timing(request.endpoint, candidate)
        # Off the loop: what relays requests must not wait for matrix products.
        return await asyncio.to_thread(
            self._predicted, candidate.performance, request, timing, self._shadowed(candidate, timing)
        )

    def _predicted(
        self,
        settings: Performance,
        request: performance_pb2.PredictRequest,
        timing: scoring_pb2.ShadowTiming,
        shadowed: Mapping[str, Value],
    ) -> performance_pb2.PredictResponse:
        try:
            models = self._models(settings.model)
        except InvalidError as error:
            return _unavailable(str(error))
        first = next(iter(models.values()))
        asked = {name: _value(name, value) for name, value in request.configuration.items()}
        codes = first.space.code({**settings.configuration, **asked})
        predicted = {name: _estimate(model, codes) for name, model in models.items()}
        shifted = _shift(models, codes, timing, shadowed)
        return performance_pb2.PredictResponse(
            state=ranking_pb2.STATE_OK,
            configuration={
                name: _option_value(value) for name, value in first.space.configuration(codes).items()
            },
            objectives=[
                _objective(name, estimate, shifted, timing.runs) for name, estimate in predicted.items()
            ],
            environment=first.environment,
        )

    def _models(self, path: Path) -> _Models:
        """The file's models, read again when the file changes."""
        stamp = file_stamp(path)
        if path not in self._read or self._read[path][0] != stamp:
            self._read[path] = stamp, read_models(path)
        return self._read[path][1]

    def _timing(self, endpoint: str, candidate: Candidate) -> scoring_pb2.ShadowTiming:
        """The newest of the candidate; without runs where there is none, or where its session is its own."""
        snapshot = self._board.snapshots().get(endpoint)
        timings = snapshot.counters.shadow_timings if snapshot and not candidate.onnx.session else {}
        return timings.get(candidate.name, scoring_pb2.ShadowTiming())

    def _shadowed(self, candidate: Candidate, timing: scoring_pb2.ShadowTiming) -> dict[str, Value]:
        """The configuration that the timing is of."""
        threads = candidate.onnx.threads or self._shadow_threads
        return shadow_configuration(threads=threads, batch_size=timing.batch_size)


def _find(endpoint: Endpoint, name: str) -> Candidate:
    for candidate in endpoint.candidates:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in endpoint.candidates)
    raise NotFoundError(f"no candidate {name!r} in {endpoint.name!r}; there are: {known}")


def _unavailable(reason: str) -> performance_pb2.PredictResponse:
    return performance_pb2.PredictResponse(state=ranking_pb2.STATE_UNAVAILABLE, reason=reason)


def _estimate(model: PerformanceModel, codes: Floats) -> Estimate:
    found = model.predict(codes[None])
    return Estimate(float(found.value[0]), float(found.low[0]), float(found.high[0]))


def _shift(
    models: _Models, codes: Floats, timing: scoring_pb2.ShadowTiming, shadowed: Mapping[str, Value]
) -> Shift | None:
    """What the timing says of the time where it is asked; None where nothing can be said.

    That is so where there are no runs, where the model knows no time, and where it cannot tell what the
    shadow's configuration costs: one of its options is outside the model's space, or was held at another
    value (that of `fixed`, or the default) when the model was measured.
    """
    model = models.get(_TIMED)
    if model is None or not timing.runs:
        return None
    held = {**{name: written(option.default) for name, option in ONNX.items()}, **model.environment}
    if any(held[name] != written(shadowed[name]) for name in shadowed.keys() - set(model.space.names)):
        return None
    try:
        there = model.space.code({name: shadowed[name] for name in model.space.names if name in shadowed})
    except InvalidError:
        return None
    features = model.space.features(np.stack([codes, there]))
    seen = Timing(
        predicted=_estimate(model, there),
        lower_quartile_s=timing.lower_quartile_s,
        median_s=timing.median_s,
        likeness=likeness(features[0], features[1]),
    )
    return shift(_estimate(model, codes), seen)


def _objective(name: str, predicted: Estimate, shifted: Shift | None, runs: int) -> performance_pb2.Objective:
    if shifted is not None and name in _MOVES:
        # Only the time itself was timed: what else moves with it is known no better than before.
        narrowing = shifted.narrowing if name == _TIMED else 1.0
        predicted = moved(predicted, shifted.factor ** _MOVES[name], narrowing)
    return performance_pb2.Objective(
        name=name,
        value=ranking_pb2.Estimate(
            value=predicted.value, low=predicted.low, high=predicted.high, level=predicted.level
        ),
        shadow_runs=runs if shifted is not None and name in _MOVES else 0,
    )


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
