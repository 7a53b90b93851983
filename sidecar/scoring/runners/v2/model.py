"""Runs one model behind a server of the Open Inference Protocol (V2), as Triton, MLServer and KServe are."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

import numpy as np
from tritonclient.grpc import service_pb2

from sidecar.core.errors import InvalidError, PilotfishError, UnavailableError
from sidecar.core.tensors import DATATYPES, Array, TensorSpec
from sidecar.inference.bfloat16 import bfloat16_bits
from sidecar.inference.feeding import answered, fitted, sizes_fit, spec_text
from sidecar.scoring.runners.server_times import ServerTimes
from sidecar.scoring.runners.v2.shared_memory import SharedInputs
from sidecar.wire.v2.codec import response_outputs
from sidecar.wire.v2.elements import to_raw
from sidecar.wire.v2.server import V2Message, V2Server

# Calls between two readings of the statistics: enough readings to follow the load, too few to be a load.
_CALLS_A_READING: Final = 64


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model as its server describes it; what the server does not describe is taken from the profile.

    Attributes:
        inputs: the inputs by the server's names, in the order of the profile's inputs.
        most: greatest number of items in one request; None sets no limit.
        fixed: whether a request must hold exactly `most` items.
    """

    inputs: tuple[TensorSpec, ...]
    most: int | None
    fixed: bool


class V2Model:
    """A model behind a V2 server, which describes the model before the first batch and after a failure.

    All methods are safe for threads.

    Attributes:
        inputs: the profile's inputs; a model's only input may have another name at the server.
        times: mean times between the server's last two statistics; None if it has no statistics, or was not
            reachable since.

    Args:
        server: the connection to the server; `close` closes it.
        model: name of the model at the server.
        version: version of the model; "" lets the server choose.
        inputs: the inputs that the profile knows.
        outputs: the outputs to ask for: the server's name by the name that `run` returns.
        columns: indices of the output's columns in the order to return them; empty keeps the server's order.
        shared_memory: whether inputs are passed in memory that a server on this node shares with us.
    """

    def __init__(
        self,
        server: V2Server,
        model: str,
        version: str,
        *,
        inputs: Sequence[TensorSpec],
        outputs: Mapping[str, str],
        columns: Sequence[int] = (),
        shared_memory: bool = False,
    ) -> None:
        self.inputs = tuple(inputs)
        self.times: ServerTimes | None = None
        self._server = server
        self._model = model
        self._version = version
        self._outputs = outputs
        self._columns = list(columns)
        self._shared = SharedInputs(server) if shared_memory else None
        self._where = f"{server.address}, model {model!r}"
        self._served: ModelDescription | None = None
        self._lock = threading.Lock()
        self._calls = 0
        self._last: V2Message | None = None

    def close(self) -> None:
        """Ends the requests that are under way and closes the connection; a second call does nothing."""
        if self._shared is not None:
            self._shared.close()
        self._server.close()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the model on items, in as many requests as the model's largest batch requires.

        Args:
            inputs: arrays by the profile's names, each [items, ...]; other arrays are ignored.

        Returns:
            the outputs by name, each [items, ...].

        Raises:
            UnavailableError: the server did not answer within the deadline.
            InvalidError: the inputs do not fit, the server refuses them, or its answer does not fit.
        """
        try:
            served = self._served = self._served or self.describe()
            named = zip(served.inputs, self.inputs, strict=True)
            given = {there.name: inputs[here.name] for there, here in named if here.name in inputs}
            feed = fitted(given, served.inputs, self._where)
            answer = answered(
                feed,
                lambda part: self._infer(part, served),
                most=served.most,
                fixed=served.fixed,
                where=self._where,
            )
        except PilotfishError as error:
            # When the server is asked again it may be a new server, or have a new version of the model.
            self._served = None
            if isinstance(error, UnavailableError):
                # The statistics of a server that was restarted begin at 0.
                with self._lock:
                    self._last = self.times = None
            raise
        self._read_times()
        return answer

    def describe(self) -> ModelDescription:
        """Asks the server what the model is.

        Raises:
            UnavailableError: the server did not answer within the deadline.
            InvalidError: the server has no such model, the model streams, its inputs differ from the
                profile's, or shared memory is configured and the server has none.
        """
        name = {"name": self._model, "version": self._version}
        metadata = self._server.known("ModelMetadata", service_pb2.ModelMetadataRequest(**name))
        told = self._server.known("ModelConfig", service_pb2.ModelConfigRequest(**name))
        if told is not None and told.config.model_transaction_policy.decoupled:
            raise InvalidError(
                f"{self._where}: the model is decoupled, so a request may have many answers or none: "
                "serve it with `decoupled: false` to make it a candidate"
            )
        if self._shared is not None:
            self._shared.check()
        if metadata is not None and metadata.outputs:
            self._check_outputs(tensor.name for tensor in metadata.outputs)
        declared = metadata.inputs if metadata is not None else ()
        if not declared:
            return ModelDescription(self.inputs, most=None, fixed=False)
        by_name = {tensor.name: tensor for tensor in declared}
        if len(declared) == len(self.inputs) == 1:
            tensors = [declared[0]]
        elif by_name.keys() == {spec.name for spec in self.inputs}:
            tensors = [by_name[spec.name] for spec in self.inputs]
        else:
            raise InvalidError(
                f"{self._where}: the model takes {sorted(by_name)}, but the profile has "
                f"{[spec.name for spec in self.inputs]}: build the profile with the names that are served"
            )
        fixed = {size for pair in zip(tensors, self.inputs, strict=True) for size in self._items_fixed(*pair)}
        most = told.config.max_batch_size if told is not None else 0
        return ModelDescription(
            tuple(
                TensorSpec(tensor.name, tensor.datatype, spec.shape)
                for tensor, spec in zip(tensors, self.inputs, strict=True)
            ),
            most=min(fixed) if fixed else most or None,
            fixed=bool(fixed),
        )

    def _items_fixed(self, tensor: V2Message, spec: TensorSpec) -> tuple[int, ...]:
        """Returns the number of items that a declared input fixes, if it does; checks its other sizes."""
        shape = tuple(tensor.shape)
        if tensor.datatype not in DATATYPES:
            raise InvalidError(
                f"{self._where}: input {tensor.name!r} is {tensor.datatype}, which is no V2 datatype: "
                "correct the model's declaration at the server"
            )
        if shape and sizes_fit(shape[1:], spec.shape):
            return shape[:1] if shape[0] > 0 else ()
        # Declarations often lack the item axis if the server does not check them.
        if sizes_fit(shape, spec.shape):
            return ()
        raise InvalidError(
            f"{self._where}: input {tensor.name!r} is {tensor.datatype} {list(shape)}, but the profile has "
            f"{spec_text(spec)}: build the profile with the model that is served"
        )

    def _check_outputs(self, names: Iterable[str]) -> None:
        given = set(names)
        missing = sorted(set(self._outputs.values()) - given)
        if missing:
            raise InvalidError(
                f"{self._where}: the model answers with {sorted(given)}, but not with {missing}: "
                "name the output tensor that holds the classes in `v2.output`"
            )

    def _infer(self, feed: dict[str, Array], served: ModelDescription) -> dict[str, Array]:
        # A text's length stands in the tensor itself, so the memory must not change while a server reads it.
        shared = [self._shared is not None and spec.datatype != "BYTES" for spec in served.inputs]
        contents = [_raw(feed[spec.name], spec) for spec in served.inputs]
        request = service_pb2.ModelInferRequest(
            model_name=self._model,
            model_version=self._version,
            inputs=[
                service_pb2.ModelInferRequest.InferInputTensor(
                    name=spec.name, datatype=spec.datatype, shape=feed[spec.name].shape
                )
                for spec in served.inputs
            ],
            raw_input_contents=[
                content for content, is_shared in zip(contents, shared, strict=True) if not is_shared
            ],
            outputs=[
                service_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name)
                for name in self._outputs.values()
            ],
        )
        tensors = list(compress(request.inputs, shared))
        answers = response_outputs(
            self._server.call("ModelInfer", request)
            if self._shared is None or not tensors
            else self._call_sharing(self._shared, request, tensors, list(compress(contents, shared)))
        )
        self._check_outputs(answers)
        return {here: self._ordered(answers[there]) for here, there in self._outputs.items()}

    def _call_sharing(
        self,
        shared: SharedInputs,
        request: V2Message,
        tensors: Sequence[V2Message],
        contents: Sequence[bytes],
    ) -> V2Message:
        """Calls the server with the contents of some tensors in shared memory."""
        with shared.lend(sum(map(len, contents))) as region:
            for tensor, content, place in zip(tensors, contents, region.write(contents), strict=True):
                tensor.parameters["shared_memory_region"].string_param = region.name
                tensor.parameters["shared_memory_offset"].int64_param = place
                tensor.parameters["shared_memory_byte_size"].int64_param = len(content)
            return self._server.call("ModelInfer", request)

    def _ordered(self, array: Array) -> Array:
        if not self._columns:
            return array
        if array.shape[1:] != (len(self._columns),):
            raise InvalidError(
                f"{self._where}: the answer has shape {list(array.shape)}, but `v2.labels` has "
                f"{len(self._columns)} names: name each column of the answer in `v2.labels`"
            )
        return array[:, self._columns]

    def _read_times(self) -> None:
        """Reads the server's statistics from time to time; a server without statistics is no failure."""
        with self._lock:
            self._calls += 1
            if self._calls % _CALLS_A_READING != 1:
                return
        request = service_pb2.ModelStatisticsRequest(name=self._model, version=self._version)
        try:
            response = self._server.known("ModelStatistics", request)
        except PilotfishError:
            return
        if response is None or not response.model_stats:
            return
        # Triton lists a model's newest version last.
        now, before = response.model_stats[-1].inference_stats, self._last
        self._last = now
        if before is not None and now.success.count > before.success.count:
            self.times = _between(before, now)


def _between(before: V2Message, now: V2Message) -> ServerTimes:
    requests = now.success.count - before.success.count

    def mean_s(*names: str) -> float:
        spent_ns = sum(getattr(now, name).ns - getattr(before, name).ns for name in names)
        return float(spent_ns / requests / 1e9)

    compute = ("compute_input", "compute_infer", "compute_output")
    return ServerTimes(requests, queue_s=mean_s("queue"), compute_s=mean_s(*compute))


def _raw(array: Array, spec: TensorSpec) -> bytes:
    return to_raw(bfloat16_bits(np.asarray(array)) if spec.datatype == "BF16" else array)
