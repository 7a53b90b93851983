"""Elements of V2 tensors: bytes or typed values to arrays, and arrays to bytes. Knows no message."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import DATATYPES, Array
from sidecar.wire.reasons import RejectReason

_LENGTH: Final = struct.Struct("<I")
_BF16_SHIFT: Final = 16
_NAMES: Final = {dtype: name for name, dtype in DATATYPES.items() if name != "BF16"}


class UnreadableError(InvalidError):
    """A sample that cannot become items; `reason` is what to count."""

    def __init__(self, message: str, reason: RejectReason = RejectReason.UNDECODABLE) -> None:
        super().__init__(message)
        self.reason = reason


def from_raw(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> Array:
    """Reads row-major little-endian elements; BYTES elements each stand after a 4-byte length.

    Args:
        name: of the tensor, for the message.
        datatype: as V2 names it.
        shape: as declared.
        raw: the elements.

    Returns:
        An array of `shape`, maybe read-only; BYTES as `bytes` objects, BF16 as float32.

    Raises:
        UnreadableError: the datatype is unknown, or the shape and the elements do not agree.
    """
    count = _count(name, datatype, shape)
    if datatype == "BYTES":
        return _texts(name, shape, count, raw)
    dtype = np.dtype(np.uint16) if datatype == "BF16" else DATATYPES[datatype].newbyteorder("<")
    if count * dtype.itemsize != len(raw):
        raise UnreadableError(
            f"tensor {name!r}: {datatype} {list(shape)} takes {count * dtype.itemsize} bytes, not {len(raw)}"
        )
    if datatype == "BOOL":
        return _shaped(name, np.frombuffer(raw, np.uint8) != 0, shape)
    array = np.frombuffer(raw, dtype)
    if datatype == "BF16":
        array = (array.astype(np.uint32) << _BF16_SHIFT).view(np.float32)
    return _shaped(name, array, shape)


def from_values(name: str, datatype: str, shape: tuple[int, ...], values: Sequence[Any]) -> Array:
    """Reads typed contents; see `from_raw`."""
    count = _count(name, datatype, shape)
    if len(values) != count:
        raise UnreadableError(
            f"tensor {name!r}: {datatype} {list(shape)} takes {count} values, not {len(values)}"
        )
    array = np.empty(count, DATATYPES[datatype])
    try:
        array[:] = values
    except OverflowError as error:
        raise UnreadableError(f"tensor {name!r}: a value is beyond {datatype}: {error}") from error
    return _shaped(name, array, shape)


def to_raw(array: Array) -> bytes:
    """Writes elements as `from_raw` reads them; `str` objects as UTF-8."""
    if array.dtype != np.object_:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [value.encode() if isinstance(value, str) else bytes(value) for value in array.ravel()]
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def datatype_of(array: Array) -> str:
    """Names an array's type as V2 does.

    Raises:
        InvalidError: V2 has no name for it.
    """
    name = _NAMES.get(array.dtype)
    if name is None:
        raise InvalidError(f"V2 has no datatype for {array.dtype}; convert to one of {sorted(DATATYPES)}")
    return name


def _count(name: str, datatype: str, shape: tuple[int, ...]) -> int:
    if datatype not in DATATYPES:
        raise UnreadableError(
            f"tensor {name!r}: unknown datatype {datatype!r}; V2 knows {', '.join(DATATYPES)}"
        )
    if any(size < 0 for size in shape):
        raise UnreadableError(f"tensor {name!r}: shape {list(shape)} has a negative size")
    return math.prod(shape)


def _texts(name: str, shape: tuple[int, ...], count: int, raw: bytes) -> Array:
    # Each text takes at least its length: checked first, so that a shape cannot ask for memory.
    if count * _LENGTH.size > len(raw):
        raise UnreadableError(f"tensor {name!r}: {len(raw)} bytes cannot hold {count} texts")
    texts = np.empty(count, dtype=np.object_)
    at = 0
    for place in range(count):
        start = at + _LENGTH.size
        if start > len(raw):
            raise UnreadableError(f"tensor {name!r}: the contents end at text {place} of {count}")
        at = start + _LENGTH.unpack_from(raw, at)[0]
        texts[place] = raw[start:at]
    if at != len(raw):
        raise UnreadableError(f"tensor {name!r}: {count} texts take {at} bytes, not {len(raw)}")
    return _shaped(name, texts, shape)


def _shaped(name: str, flat: Array, shape: tuple[int, ...]) -> Array:
    try:
        return flat.reshape(shape)
    except ValueError as error:  # more axes than numpy has, or a size that only a zero beside it allows
        raise UnreadableError(f"tensor {name!r}: no array has shape {list(shape)}: {error}") from error
