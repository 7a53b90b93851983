"""Bodies of HTTP calls to arrays: V2 as JSON, with binary data after it or without, and V1 as JSON.

A body is told by its own keys alone: what KServe's logger says of an answer's type is the request's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from sidecar.core.tensors import DATATYPES, Array
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.elements import UnreadableError, from_raw, from_values

Json: TypeAlias = Any  # what a JSON text holds

# As many axes as numpy allows.
_MAX_DEPTH: Final = 64
_WHITESPACE: Final = b" \t\r\n"


def request_arrays(body: bytes) -> dict[str, Array]:
    """Reads the inputs of a call.

    Returns:
        Arrays by input name; BYTES as `bytes` objects. V1's instances are one array `instances`, or one
        for each key where they are objects; numbers without a fraction INT64, others FP64.

    Raises:
        UnreadableError: it is malformed, contradicts itself, or its tensors lie in shared memory.
    """
    return _arrays(body, "inputs", "instances")


def response_arrays(body: bytes) -> dict[str, Array]:
    """Reads the outputs of a call; V1's are called `predictions`. See `request_arrays`."""
    return _arrays(body, "outputs", "predictions")


def _arrays(body: bytes, v2: str, v1: str) -> dict[str, Array]:
    content, rest = _parse(body)
    if isinstance(content, dict) and isinstance(content.get(v2), list):
        return _tensors(content[v2], rest)
    if isinstance(content, dict) and isinstance(content.get(v1), list) and not rest.strip(_WHITESPACE):
        return _columns(v1, content[v1])
    raise UnreadableError(f"the body is not a JSON object with a list {v2!r} or {v1!r}")


def _parse(body: bytes) -> tuple[Json, bytes]:
    """The JSON text that a body begins with, and the binary data behind it."""
    try:
        try:
            # Binary data may look like the whitespace that a JSON text may end with.
            return json.loads(body), body[len(body.rstrip(_WHITESPACE)) :]
        except ValueError:
            # Of Latin-1 every byte is one character, so that the text's end is found among any bytes.
            start = len(body) - len(body.lstrip(_WHITESPACE))
            _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"), start)
            return json.loads(body[:end]), body[end:]
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the body is not JSON: {error}; check the client that sends it") from error


def _tensors(tensors: list[Json], rest: bytes) -> dict[str, Array]:
    """Reads V2's tensors."""
    sizes = [_binary_bytes(tensor) for tensor in tensors]
    at = len(rest) - sum(size for size in sizes if size is not None)
    if at < 0 or rest[:at].strip(_WHITESPACE):
        raise UnreadableError(f"the body has {len(rest)} bytes of binary data, and its tensors announce {at}")
    arrays: dict[str, Array] = {}
    for tensor, size in zip(tensors, sizes, strict=True):
        name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
        if not (isinstance(name, str) and isinstance(datatype, str) and _is_shape(shape)):
            raise UnreadableError("a tensor lacks its name, datatype or shape")
        if size is None:
            data = tensor.get("data")
            if not isinstance(data, list):
                raise UnreadableError(f"tensor {name!r} has no data")
            values = _values(name, datatype, _flat(name, data))
            arrays[name] = from_values(name, datatype, tuple(shape), values)
        else:
            arrays[name] = from_raw(name, datatype, tuple(shape), rest[at : at + size])
            at += size
    return arrays


def _binary_bytes(tensor: Json) -> int | None:
    """How many bytes of the binary data are a tensor's; None where its data stands in the JSON text."""
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else []
    # KServe writes keys without a value.
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        raise UnreadableError("a tensor or its parameters are not a JSON object")
    if "shared_memory_region" in parameters:
        raise UnreadableError(
            f"{tensor.get('name')!r} is in shared memory, which capture cannot read; send it in the request",
            RejectReason.SHARED_MEMORY,
        )
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise UnreadableError(f"binary_data_size is {size!r}; it must be a number of bytes")
    return size


def _is_shape(shape: Json) -> bool:
    return isinstance(shape, list) and all(type(size) is int for size in shape)


def _flat(name: str, data: list[Json]) -> list[Json]:
    """The values of lists in lists, in row-major order."""
    for _ in range(_MAX_DEPTH):
        if not any(isinstance(value, list) for value in data):
            return data
        if not all(isinstance(value, list) and len(value) == len(data[0]) for value in data):
            raise UnreadableError(f"tensor {name!r}: its lists differ in length")
        data = list(chain.from_iterable(data))
    raise UnreadableError(f"tensor {name!r} has more than {_MAX_DEPTH} axes")


# By the datatype's kind in numpy: which JSON values it takes. A bool is an int in Python, not here.
_TAKES: Final[Mapping[str, Callable[[Json], bool]]] = {
    "b": lambda value: type(value) is bool,
    "i": lambda value: type(value) is int,
    "u": lambda value: type(value) is int,
    "f": lambda value: type(value) in {int, float},
    "O": lambda value: type(value) is str,
}


def _values(name: str, datatype: str, values: list[Json]) -> list[Json]:
    known = DATATYPES.get(datatype)
    if known is not None and not all(map(_TAKES[known.kind], values)):
        raise UnreadableError(f"tensor {name!r}: a value is not {datatype}")
    return [value.encode() for value in values] if datatype == "BYTES" else values


def _columns(name: str, rows: list[Json]) -> dict[str, Array]:
    """Reads V1's rows."""
    if not rows or not isinstance(rows[0], dict):
        return {name: _column(name, rows)}
    keys = list(rows[0])
    if not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
        raise UnreadableError(f"{name}: the objects differ in their keys")
    return {key: _column(key, [row[key] for row in rows]) for key in keys}


def _column(name: str, rows: list[Json]) -> Array:
    shape: list[int] = []
    first: Json = rows
    while isinstance(first, list) and len(shape) < _MAX_DEPTH:
        shape.append(len(first))
        first = first[0] if first else None
    values = _flat(name, rows)
    datatype = next((one for one in _V1_DATATYPES if all(map(_TAKES[DATATYPES[one].kind], values))), None)
    if datatype is None or math.prod(shape) != len(values):
        raise UnreadableError(
            f"{name}: the values must be all numbers, all texts or all booleans, in lists of equal length"
        )
    return from_values(name, datatype, tuple(shape), _values(name, datatype, values))


_V1_DATATYPES: Final = ("BOOL", "INT64", "FP64", "BYTES")
