"""A V2 model server for tests: echoes, fails, streams, sleeps until cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

V2Message: TypeAlias = Any  # tritonclient's messages have no types

ENDLESS = -1
STATUS_DETAILS = ("grpc-status-details-bin", b"\x08\x03\x12\x03bad")


class Upstream:
    """A real gRPC server on `address`; `start` after `stop` comes back on the same port."""

    def __init__(self) -> None:
        self.service = V2Service()
        self.port = 0
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(128),
            options=[
                ("grpc.max_receive_message_length", ENDLESS),
                ("grpc.max_send_message_length", ENDLESS),
                ("grpc.so_reuseport", 0),
            ],
        )
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self.service, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.stop(None).wait()


class V2Service(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # it has no types
    """The models are named after what they do."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()
        self.together = threading.Barrier(100)

    def ServerLive(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        return service_pb2.ServerLiveResponse(live=True)

    def ModelMetadata(self, request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        return service_pb2.ModelMetadataResponse(name=request.name, versions=["7"], platform="test")

    def ModelInfer(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        if request.model_name == "fail":
            context.set_trailing_metadata((("why", "because"), STATUS_DETAILS))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "naïve café\nfull")
        if request.model_name == "sleep":
            context.add_callback(self.cancelled.set)
            self.began.set()
            self.cancelled.wait(60)
        if request.model_name == "together":
            self.together.wait(60)
        if request.model_name not in {"echo", "sleep", "together"}:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_name!r}")
        if any(size > 1 << 24 for tensor in request.inputs for size in tensor.shape):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad shape")
        if request.id == "gzip the answer":
            context.set_compression(grpc.Compression.Gzip)
        given = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
        context.send_initial_metadata(tuple((f"initial-{key}", value) for key, value in given))
        context.set_trailing_metadata(tuple((f"trailing-{key}", value) for key, value in given))
        return echo(request)

    def ModelStreamInfer(self, requests: Iterator[V2Message], _context: V2Message) -> Iterator[V2Message]:  # noqa: N802 - the protocol's name
        for request in requests:
            if request.model_name != "echo":
                yield service_pb2.ModelStreamInferResponse(error_message=f"no model {request.model_name!r}")
                continue
            for _ in range(2):
                yield service_pb2.ModelStreamInferResponse(infer_response=echo(request))


def echo(request: V2Message) -> V2Message:
    response = service_pb2.ModelInferResponse(
        model_name=request.model_name,
        model_version="7",
        id=request.id,
        raw_output_contents=request.raw_input_contents,
    )
    response.parameters["sequence_end"].bool_param = True
    for tensor in request.inputs:
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if tensor.HasField("contents"):
            output.contents.CopyFrom(tensor.contents)
    return response
