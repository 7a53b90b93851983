"""A V2 server in this process, over a real socket, that can be told to misbehave."""

from __future__ import annotations

import mmap
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.inference.onnx import OnnxModel
from sidecar.serving.incumbent.server import encode_response
from sidecar.wire.v2.codec import request_inputs
from sidecar.wire.v2.elements import datatype_of

V2Message: TypeAlias = Any  # tritonclient's messages have no types

_TYPED = {"FP32": "fp32_contents", "INT64": "int64_contents", "BYTES": "bytes_contents"}
_LARGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class ModelServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # it has no types
    """Serves one ONNX model; `start` after `stop` comes back on the same port.

    Attributes:
        calls: that arrived, by method.
        most_at_once: ModelInfer calls that were under way together.
        metadata: of the last ModelInfer call.
        open: a ModelInfer call waits until this is set.
        fault: status and text that the next ModelInfer calls end with.
        lie: changes an answer on its way out.
        typed: whether answers have typed contents.
        inputs: what ModelMetadata says of them; None: UNIMPLEMENTED.
        config: what ModelConfig says; None: UNIMPLEMENTED.
        takes: items in one request, at most.
        shared: the shared memory that it knows, by name; None: UNIMPLEMENTED.
        index: the state of each model and version in the repository; None: UNIMPLEMENTED.
    """

    def __init__(self, model: OnnxModel, *, typed: bool = False) -> None:
        self.model = model
        self.calls: Counter[str] = Counter()
        self.most_at_once = 0
        self.metadata: dict[str, str] = {}
        self.open = threading.Event()
        self.open.set()
        self.fault: tuple[grpc.StatusCode, str] | None = None
        self.lie: Callable[[V2Message], None] | None = None
        self.typed = typed
        self.inputs: tuple[TensorSpec, ...] | None = model.inputs
        self.config: dict[str, Any] | None = {}
        self.takes = 0
        self.shared: dict[str, mmap.mmap] | None = None
        self.index: dict[tuple[str, str], str] | None = None
        self.port = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        options = [*_LARGE, ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(16), options=options)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        place = f"localhost:{self.port}"
        self.port = (
            self._server.add_insecure_port(place)
            if credentials is None
            else self._server.add_secure_port(place, credentials)
        )
        self._server.start()

    def stop(self) -> None:
        """Ends; what the server knew of others' memory is forgotten."""
        if self._server is not None:
            self._server.stop(None).wait()
        self._server = None
        if self.shared is not None:
            self.shared = {}

    def ModelMetadata(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["ModelMetadata"] += 1
        if self.inputs is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        tensor = service_pb2.ModelMetadataResponse.TensorMetadata
        return service_pb2.ModelMetadataResponse(
            name=request.name,
            versions=["1"],
            inputs=[
                tensor(name=spec.name, datatype=spec.datatype, shape=(-1, *spec.shape))
                for spec in self.inputs or ()
            ],
            outputs=[
                tensor(name=spec.name, datatype=spec.datatype, shape=(-1, *spec.shape))
                for spec in (self.model.outputs if self.inputs else ())
            ],
        )

    def ModelConfig(self, _request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["ModelConfig"] += 1
        if self.config is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        config = {"max_batch_size": self.takes, **(self.config or {})}
        return service_pb2.ModelConfigResponse(config=config)

    def ModelStatistics(self, request: V2Message, _context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["ModelStatistics"] += 1
        answered = self.calls["ModelInfer"]
        # Every request waits 2 ms and takes 1 + 3 + 1 ms.
        spent = {
            name: {"count": answered, "ns": answered * milliseconds * 1_000_000}
            for name, milliseconds in (
                ("success", 7),
                ("queue", 2),
                ("compute_input", 1),
                ("compute_infer", 3),
                ("compute_output", 1),
            )
        }
        return service_pb2.ModelStatisticsResponse(
            model_stats=[{"name": request.name, "version": "1", "inference_stats": spent}]
        )

    def SystemSharedMemoryStatus(self, _request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["SystemSharedMemoryStatus"] += 1
        if self.shared is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        regions = {
            name: {"name": name, "byte_size": len(memory)} for name, memory in (self.shared or {}).items()
        }
        return service_pb2.SystemSharedMemoryStatusResponse(regions=regions)

    def SystemSharedMemoryRegister(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["SystemSharedMemoryRegister"] += 1
        assert self.shared is not None
        try:
            with Path(f"/dev/shm{request.key}").open("rb") as file:  # noqa: S108 - where Linux has it
                self.shared[request.name] = mmap.mmap(file.fileno(), request.byte_size, prot=mmap.PROT_READ)
        except OSError:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"Unable to open shared memory region: '{request.key}'"
            )
        return service_pb2.SystemSharedMemoryRegisterResponse()

    def SystemSharedMemoryUnregister(self, request: V2Message, _context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["SystemSharedMemoryUnregister"] += 1
        assert self.shared is not None
        del self.shared[request.name]
        return service_pb2.SystemSharedMemoryUnregisterResponse()

    def RepositoryIndex(self, _request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        self.calls["RepositoryIndex"] += 1
        self.open.wait(30)
        if self.fault is not None:
            context.abort(*self.fault)
        if self.index is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
        models = [
            {"name": name, "version": version, "state": state}
            for (name, version), state in (self.index or {}).items()
        ]
        return service_pb2.RepositoryIndexResponse(models=models)

    def ModelInfer(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:  # noqa: N802 - the protocol's name
        with self._lock:
            self.calls["ModelInfer"] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._infer(request, context)
        finally:
            with self._lock:
                self._at_once -= 1

    def _infer(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:
        self.metadata = {key: str(value) for key, value in context.invocation_metadata()}
        self.open.wait(30)
        if self.fault is not None:
            context.abort(*self.fault)
        try:
            _inline(request, self.shared or {})
        except KeyError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unable to find shared memory region: {error}")
        inputs = request_inputs(request)
        items = len(next(iter(inputs.values())))
        if self.takes and items > self.takes:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{items} items are more than {self.takes}")
        try:
            outputs = self.model.run(inputs)
        except InvalidError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        wanted = {tensor.name: outputs[tensor.name] for tensor in request.outputs}
        response = encode_response(request.model_name, "1", request.id, {} if self.typed else wanted)
        if self.typed:
            _add_typed(response, wanted)
        if self.lie is not None:
            self.lie(response)
        return response


def _inline(request: V2Message, shared: Mapping[str, mmap.mmap]) -> None:
    """Moves what lies in shared memory into the request, or KeyError of a region that is not known."""
    inline = iter(list(request.raw_input_contents))
    contents = []
    for tensor in request.inputs:
        where = tensor.parameters
        if "shared_memory_region" in where:
            memory = shared[where["shared_memory_region"].string_param]
            at, size = (where[f"shared_memory_{key}"].int64_param for key in ("offset", "byte_size"))
            contents.append(memory[at : at + size])
            where.clear()
        elif request.raw_input_contents:
            contents.append(next(inline))
    request.raw_input_contents[:] = contents


def _add_typed(response: V2Message, outputs: dict[str, Array]) -> None:
    for name, array in outputs.items():
        tensor = response.outputs.add(name=name, datatype=datatype_of(array), shape=array.shape)
        values = [value.encode() if isinstance(value, str) else value for value in array.ravel().tolist()]
        getattr(tensor.contents, _TYPED[tensor.datatype]).extend(values)
