"""A small V2 server that serves all models of a folder laid out as Triton's repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2_grpc

from sidecar.inference.onnx import OnnxModel
from tests.support.model_server import ModelServer, V2Message


class RepositoryServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # it has no types
    """Answers for `FOLDER/NAME/1/model.onnx` as the model NAME.

    Args:
        folder: the repository.
        port: to listen on.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._models = {
            path.parents[1].name: ModelServer(OnnxModel(path)) for path in folder.glob("*/1/model.onnx")
        }
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def ModelMetadata(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        return self._named(request.name, context).ModelMetadata(request, context)

    def ModelConfig(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        return self._named(request.name, context).ModelConfig(request, context)

    def ModelInfer(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        return self._named(request.model_name, context).ModelInfer(request, context)

    def _named(self, name: str, context: grpc.ServicerContext) -> ModelServer:
        if name not in self._models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {name!r}; there are {sorted(self._models)}")
        return self._models[name]
