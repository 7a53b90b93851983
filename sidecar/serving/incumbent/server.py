"""A V2 server for endpoints without an upstream: the proxy relays to it as to any model server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Final, Protocol

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.errors import InvalidError, NotFoundError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.wire.v2.codec import V2Message, request_inputs
from sidecar.wire.v2.elements import datatype_of, to_raw

_VERSION: Final = "1"
_HOST: Final = "127.0.0.1"


class Answer(Protocol):
    """What answers for a model; `sidecar.inference.onnx.OnnxModel` is one."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Answers items; arrays [items, ...] by name. Called by one thread at a time.

        Raises:
            InvalidError: the inputs do not fit, or the model fails on them.
        """
        ...


class EmbeddedServer:
    """Serves models on a free port of the loopback interface."""

    def __init__(self, answers: Mapping[str, Answer], *, max_message_bytes: int) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            answers: by model name.
            max_message_bytes: of a request and of an answer.
        """
        self.address = ""
        self._answers = answers
        self._options = [
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
        ]
        self._server: grpc.aio.Server | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Begins to serve; `address` is then known."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-model")
        self._server = grpc.aio.server(options=self._options)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            _Service(self._answers, self._thread), self._server
        )
        self.address = f"{_HOST}:{self._server.add_insecure_port(f'{_HOST}:0')}"
        await self._server.start()

    async def close(self, grace_s: float) -> None:
        """Lets open calls end within the grace; without a start, or again, does nothing."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace_s)
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)


def encode_response(
    model_name: str, model_version: str, request_id: str, outputs: Mapping[str, Array]
) -> V2Message:
    """Builds a ModelInferResponse with raw contents.

    Args:
        model_name: the model that answered.
        model_version: its version.
        request_id: of the request, to be given back.
        outputs: arrays by name; text may be `str` or `bytes` objects.

    Raises:
        InvalidError: an array has a type that V2 has no name for.
    """
    return service_pb2.ModelInferResponse(
        model_name=model_name,
        model_version=model_version,
        id=request_id,
        outputs=[
            service_pb2.ModelInferResponse.InferOutputTensor(
                name=name, datatype=datatype_of(array), shape=array.shape
            )
            for name, array in outputs.items()
        ],
        raw_output_contents=[to_raw(array) for array in outputs.values()],
    )


class _Service(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # it has no types
    """The methods of the inference service that a model needs; the others answer UNIMPLEMENTED."""

    def __init__(self, answers: Mapping[str, Answer], thread: ThreadPoolExecutor) -> None:
        self._answers = answers
        self._thread = thread

    async def ServerLive(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerReady(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        return service_pb2.ServerReadyResponse(ready=True)

    async def ServerMetadata(self, _request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        return service_pb2.ServerMetadataResponse(name="pilotfish", version=metadata.version("pilotfish"))

    async def ModelReady(self, request: V2Message, _context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        known = request.name in self._answers and request.version in {"", _VERSION}
        return service_pb2.ModelReadyResponse(ready=known)

    async def ModelMetadata(self, request: V2Message, context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        try:
            answer = self._find(request.name, request.version)
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            raise
        return service_pb2.ModelMetadataResponse(
            name=request.name,
            versions=[_VERSION],
            platform="onnxruntime_onnx",
            inputs=[_tensor_metadata(spec) for spec in answer.inputs],
            outputs=[_tensor_metadata(spec) for spec in answer.outputs],
        )

    async def ModelInfer(self, request: V2Message, context: V2Message) -> V2Message:  # noqa: N802 - the protocol's name
        try:
            answer = self._find(request.model_name, request.model_version)
            inputs = _checked(request_inputs(request), request.inputs, answer.inputs)
            outputs = await asyncio.get_running_loop().run_in_executor(self._thread, answer.run, inputs)
            return encode_response(
                request.model_name, _VERSION, request.id, _wanted(outputs, request.outputs)
            )
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except InvalidError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _find(self, name: str, version: str) -> Answer:
        answer = self._answers.get(name)
        if answer is None:
            raise NotFoundError(f"no model {name!r} here; the models are {', '.join(sorted(self._answers))}")
        if version not in {"", _VERSION}:
            raise NotFoundError(
                f"model {name!r} has only version {_VERSION}, not {version}; leave the version out"
            )
        return answer


def _tensor_metadata(spec: TensorSpec) -> V2Message:
    return service_pb2.ModelMetadataResponse.TensorMetadata(
        name=spec.name, datatype=spec.datatype, shape=(-1, *spec.shape)
    )


def _checked(
    inputs: dict[str, Array], declared: V2Message, specs: tuple[TensorSpec, ...]
) -> dict[str, Array]:
    """The inputs, if they are what the model takes."""
    datatypes = {tensor.name: tensor.datatype for tensor in declared}
    takes = "; the model takes " + ", ".join(f"{spec.name} {_form(spec)}" for spec in specs)
    names = {spec.name for spec in specs}
    if set(inputs) != names or len(declared) != len(names):
        raise InvalidError(f"the request has inputs {[tensor.name for tensor in declared]}{takes}")
    for spec in specs:
        shape = inputs[spec.name].shape
        fits = len(shape) == len(spec.shape) + 1 and all(
            wanted in {-1, given} for wanted, given in zip(spec.shape, shape[1:], strict=True)
        )
        if datatypes[spec.name] != spec.datatype or not fits:
            raise InvalidError(f"input {spec.name!r} is {datatypes[spec.name]} {list(shape)}{takes}")
    return inputs


def _wanted(outputs: dict[str, Array], requested: V2Message) -> dict[str, Array]:
    """The outputs that the request names; all if it names none."""
    names = [output.name for output in requested]
    unknown = sorted(set(names) - set(outputs))
    if unknown:
        raise InvalidError(
            f"the model has no output {', '.join(unknown)}; it has {', '.join(sorted(outputs))}"
        )
    return {name: outputs[name] for name in names} if names else outputs


def _form(spec: TensorSpec) -> str:
    return f"{spec.datatype} [{', '.join(map(str, ('items', *spec.shape)))}]"
