import contextlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import DATATYPES
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.elements import UnreadableError, datatype_of, from_raw, from_values, to_raw

NUMERIC = [name for name in DATATYPES if name not in {"BYTES", "BF16"}]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@given(data=st.data(), datatype=st.sampled_from(NUMERIC), shape=SHAPES)
def test_numbers_come_back(data: st.DataObject, datatype: str, shape: tuple[int, ...]) -> None:
    array = data.draw(hnp.arrays(DATATYPES[datatype], shape))
    read = from_raw("x", datatype, shape, array.tobytes())
    np.testing.assert_array_equal(read, array)
    assert (read.dtype, read.shape) == (array.dtype, shape)
    assert to_raw(read) == array.tobytes()
    assert datatype_of(read) == datatype


@given(texts=st.lists(st.binary(max_size=20), max_size=8))
def test_texts_are_as_tritonclient_writes_them(texts: list[bytes]) -> None:
    array = np.array([*texts, None], dtype=np.object_)[:-1].reshape(-1, 1)
    raw = serialize_byte_tensor(array).item() if texts else b""
    read = from_raw("x", "BYTES", array.shape, raw)
    assert read.tolist() == array.tolist()
    assert to_raw(read) == raw
    assert deserialize_bytes_tensor(to_raw(read)).tolist() == texts


@given(st.lists(st.binary(min_size=2, max_size=2), max_size=8))
def test_bf16_is_the_upper_half_of_float32(halves: list[bytes]) -> None:
    read = from_raw("x", "BF16", (len(halves),), b"".join(halves))
    wanted = [struct.unpack("<f", b"\0\0" + half)[0] for half in halves]
    np.testing.assert_array_equal(read, np.array(wanted, dtype=np.float32))


def test_any_true_byte_is_true() -> None:
    assert from_raw("x", "BOOL", (3,), b"\x00\x01\x07").tolist() == [False, True, True]


def test_str_objects_are_written_as_utf8() -> None:
    assert to_raw(np.array(["zwölf"], dtype=np.object_)) == b"\x06\0\0\0" + "zwölf".encode()


@given(
    datatype=st.one_of(st.sampled_from(sorted(DATATYPES)), st.text(max_size=5)),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=5).map(tuple),
    raw=st.binary(max_size=40),
)
def test_lies_are_refused_and_cost_nothing(datatype: str, shape: tuple[int, ...], raw: bytes) -> None:
    sizes = {"BYTES": 4, "BF16": 2} | {name: DATATYPES[name].itemsize for name in NUMERIC}
    elements = math.prod(shape)
    if elements and (
        datatype not in sizes or min(shape, default=0) < 0 or elements * sizes[datatype] > len(raw)
    ):
        with pytest.raises(UnreadableError, match="'x'"):
            from_raw("x", datatype, shape, raw)
        return
    with contextlib.suppress(UnreadableError):
        assert from_raw("x", datatype, shape, raw).shape == shape


@pytest.mark.parametrize(
    ("datatype", "shape", "raw"),
    [
        ("FP32", (2,), b"\0" * 7),
        ("FP32", (2,), b"\0" * 9),
        ("FP33", (1,), b"\0" * 4),
        ("INT8", (-1,), b""),
        ("INT8", (1,) * 70, b"\0"),
        ("INT8", (0, 2**62, 2**62), b""),
        ("BYTES", (2**62,), b"\0" * 4),
        ("BYTES", (1,), struct.pack("<I", 5) + b"four"),
        ("BYTES", (2,), struct.pack("<I", 1) + b"longer"),
        ("BYTES", (2,), struct.pack("<I", 4) + b"four"),
        ("BYTES", (1,), struct.pack("<I", 1) + b"two"),
    ],
)
def test_contradictions(datatype: str, shape: tuple[int, ...], raw: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        from_raw("x", datatype, shape, raw)
    assert caught.value.reason is RejectReason.UNDECODABLE


def test_typed_values_are_checked() -> None:
    assert from_values("x", "INT8", (2, 1), [-128, 127]).tolist() == [[-128], [127]]
    with pytest.raises(UnreadableError, match="beyond INT8"):
        from_values("x", "INT8", (1,), [300])
    with pytest.raises(UnreadableError, match="takes 3 values, not 2"):
        from_values("x", "INT8", (3,), [1, 2])


def test_types_without_a_name_are_refused() -> None:
    with pytest.raises(InvalidError, match="complex128"):
        datatype_of(np.zeros(1, dtype=np.complex128))
