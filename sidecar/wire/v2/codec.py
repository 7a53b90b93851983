"""The V2 codec: from tensors on the wire to arrays.

Bytes are read with messages of our own, equal on the wire, as tritonclient's bring gRPC along. Its messages
are read too: their fields have the same names. No binding of protobuf package `inference` but tritonclient's,
which `embedded` and `sidecar.scoring.runners` use, may be imported in this process: two of them crash it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError, Message
from pilotfish.internal.v1 import inference_pb2, scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.core.tensors import Array, Batch
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.elements import UnreadableError, from_raw, from_values
from sidecar.wire.v2.json_bodies import request_arrays, response_arrays

V2Message: TypeAlias = Any  # ours or tritonclient's, which have no types

_TYPED_FIELDS: Final = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_SHARED_MEMORY: Final = "shared_memory_region"


def decode_observation(observation: scoring_pb2.Observation) -> Batch:
    """Turns a captured call, or an item that was pushed, into its items.

    Outputs that have no row for each item are left out, and so are all outputs when the answer lies in
    shared memory: the items are of use without them.

    Raises:
        UnreadableError: with the reason to count.
    """
    if observation.HasField("pushed"):
        inputs = _pushed(observation.pushed.inputs)
        outputs = _pushed(observation.pushed.outputs)
    elif observation.http_request:
        inputs = request_arrays(observation.http_request)
        outputs = _answer(response_arrays, observation.http_response)
    else:
        inputs = decode_request(observation.v2_request)
        outputs = _answer(decode_response, observation.v2_response)
    items = _items(inputs)
    return Batch(inputs, {name: array for name, array in outputs.items() if array.shape[:1] == (items,)})


def decode_request(raw: bytes) -> dict[str, Array]:
    """Reads a serialised ModelInferRequest.

    Returns:
        Arrays by input name, in the declared shapes; BYTES as `bytes` objects, BF16 as float32.

    Raises:
        UnreadableError: it is malformed, contradicts itself, or its tensors lie in shared memory.
    """
    request = _parse(inference_pb2.ModelInferRequest(), raw)
    return request_inputs(request)


def request_inputs(request: V2Message) -> dict[str, Array]:
    """Reads the inputs of a ModelInferRequest; see `decode_request`."""
    return _tensors("input", request.inputs, request.raw_input_contents)


def decode_response(raw: bytes) -> dict[str, Array]:
    """Reads a serialised ModelInferResponse; see `decode_request`."""
    response = _parse(inference_pb2.ModelInferResponse(), raw)
    return response_outputs(response)


def response_outputs(response: V2Message) -> dict[str, Array]:
    """Reads the outputs of a ModelInferResponse; see `decode_request`."""
    return _tensors("output", response.outputs, response.raw_output_contents)


def _answer(decode: Callable[[bytes], dict[str, Array]], raw: bytes) -> dict[str, Array]:
    try:
        return decode(raw)
    except UnreadableError as error:
        if error.reason is not RejectReason.SHARED_MEMORY:
            raise
        return {}


def _pushed(tensors: Iterable[traffic_pb2.Tensor]) -> dict[str, Array]:
    return {
        tensor.name: from_raw(tensor.name, tensor.datatype, tuple(tensor.shape), tensor.contents)
        for tensor in tensors
    }


def _parse(message: Message, raw: bytes) -> V2Message:
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise UnreadableError(
            f"the bytes are no {message.DESCRIPTOR.name}: {error}; check the client that sends them"
        ) from error
    return message


def _tensors(role: str, tensors: V2Message, raw: V2Message) -> dict[str, Array]:
    for tensor in tensors:
        if _SHARED_MEMORY in tensor.parameters:
            raise UnreadableError(
                f"{role} {tensor.name!r} is in shared memory, which capture cannot read; send it in the "
                "request",
                RejectReason.SHARED_MEMORY,
            )
    if not raw:
        return {tensor.name: _typed(role, tensor) for tensor in tensors}
    # MLServer's raw answers have typed contents too, without anything in them.
    if len(raw) != len(tensors) or any(tensor.contents.ListFields() for tensor in tensors):
        raise UnreadableError(
            f"{len(raw)} raw contents for {len(tensors)} {role}s; send one for each and no typed contents"
        )
    return {
        tensor.name: from_raw(tensor.name, tensor.datatype, tuple(tensor.shape), contents)
        for tensor, contents in zip(tensors, raw, strict=True)
    }


def _typed(role: str, tensor: V2Message) -> Array:
    field = _TYPED_FIELDS.get(tensor.datatype)
    if field is None:
        raise UnreadableError(f"{role} {tensor.name!r}: {tensor.datatype} has no typed contents; send it raw")
    if any(found.name != field for found, _ in tensor.contents.ListFields()):
        raise UnreadableError(f"{role} {tensor.name!r}: {tensor.datatype} values belong only into {field}")
    values = getattr(tensor.contents, field)
    return from_values(tensor.name, tensor.datatype, tuple(tensor.shape), values)


def _items(inputs: Mapping[str, Array]) -> int:
    counts = {name: array.shape[0] if array.ndim else 0 for name, array in inputs.items()}
    if not counts or 0 in counts.values() or len(set(counts.values())) > 1:
        raise UnreadableError(
            f"the inputs must hold the same items on their first axis, at least one; got {counts}",
            RejectReason.NO_ITEMS,
        )
    return next(iter(counts.values()))
