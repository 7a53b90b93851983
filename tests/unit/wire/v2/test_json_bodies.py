"""JSON bodies become the arrays that numpy and the json module say they hold; lies are refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from sidecar.core.tensors import Array
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.elements import UnreadableError, datatype_of, to_raw
from sidecar.wire.v2.json_bodies import request_arrays, response_arrays

NUMBERS = st.sampled_from([np.bool_, np.int8, np.uint64, np.int64, np.float16, np.float32, np.float64])
SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=4, max_side=4)
ARRAYS = arrays_of.arrays(NUMBERS, SHAPES)
TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=4)


def tensor(name: str, array: Array, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": name, "datatype": datatype_of(array), "shape": list(array.shape), **others}


def body(*tensors: dict[str, Any], key: str = "inputs") -> bytes:
    return json.dumps({key: list(tensors)}).encode()


@given(array=ARRAYS, flat=st.booleans())
def test_v2_numbers(array: Array, flat: bool) -> None:  # noqa: FBT001 - drawn
    data = array.ravel().tolist() if flat else array.tolist()
    read = request_arrays(body(tensor("x", array, data=data)))["x"]
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@given(texts=TEXTS, array=ARRAYS)
def test_v2_texts_and_names_of_any_alphabet_beside_binary_data(texts: list[str], array: Array) -> None:
    raw = to_raw(array)
    sent = {"name": "wörter", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    first = json.dumps(
        {"inputs": [sent, tensor("x", array, parameters={"binary_data_size": len(raw)})]}, ensure_ascii=False
    )
    read = request_arrays(first.encode() + raw)
    assert read["wörter"].tolist() == [text.encode() for text in texts]
    np.testing.assert_array_equal(read["x"], array)


@given(first=ARRAYS, second=ARRAYS, padding=st.sampled_from([b"", b" ", b"\n  "]))
def test_v2_binary_data(first: Array, second: Array, padding: bytes) -> None:
    raws = [to_raw(first), to_raw(second)]
    head = body(
        *(
            tensor(name, array, parameters={"binary_data_size": len(raw)})
            for name, array, raw in zip("ab", (first, second), raws, strict=True)
        ),
        key="outputs",
    )
    read = response_arrays(padding + head + padding + b"".join(raws))
    np.testing.assert_array_equal(read["a"], first)
    np.testing.assert_array_equal(read["b"], second)


def test_v2_keys_without_a_value_are_as_absent() -> None:
    array = np.ones((1, 2), dtype=np.float32)
    sent = tensor("x", array, data=array.tolist(), parameters=None)
    np.testing.assert_array_equal(response_arrays(body(sent, key="outputs"))["x"], array)


def test_v2_binary_data_that_looks_like_whitespace() -> None:
    array = np.frombuffer(b" \t\r\n", dtype=np.int8)
    head = body(tensor("x", array, parameters={"binary_data_size": 4}))
    assert request_arrays(head + to_raw(array))["x"].tolist() == array.tolist()
    assert request_arrays(b'{"instances": [1]}\n')["instances"].tolist() == [1]


@pytest.mark.parametrize(
    ("instances", "wanted"),
    [
        ([1, 2], np.array([1, 2])),
        ([[1, 2.5], [3, 4]], np.array([[1, 2.5], [3, 4]])),
        ([[True], [False]], np.array([[True], [False]])),
        (["eins", "zwölf"], np.array([b"eins", "zwölf".encode()], dtype=np.object_)),
        ([[[1.0]]], np.array([[[1.0]]])),
    ],
)
def test_v1_instances(instances: list[Any], wanted: Array) -> None:
    read = request_arrays(json.dumps({"instances": instances}).encode())
    assert list(read) == ["instances"]
    assert read["instances"].dtype == wanted.dtype
    assert read["instances"].tolist() == wanted.tolist()


def test_v1_objects_are_columns() -> None:
    read = request_arrays(b'{"instances": [{"x": [1.5, 2], "t": "a"}, {"t": "b", "x": [3, 4]}]}')
    assert {name: array.tolist() for name, array in read.items()} == {
        "x": [[1.5, 2.0], [3.0, 4.0]],
        "t": [b"a", b"b"],
    }
    assert response_arrays(b'{"predictions": [3, 1]}')["predictions"].tolist() == [3, 1]


X = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"inputs": {}}',
        b'{"inputs": [3]}',
        b'{"outputs": []}',
        body(X) + b"more",
        body({**X, "shape": [3]}),
        body({**X, "shape": [-2]}),
        body({**X, "shape": [2.0]}),
        body({**X, "shape": [1 << 62]}),
        body({**X, "shape": None}),
        body({**X, "name": 7}),
        body({**X, "datatype": "FP31"}),
        body({**X, "datatype": "INT32", "data": [1, 2.5]}),
        body({**X, "datatype": "UINT8", "data": [1, 256]}),
        body({**X, "datatype": "BOOL"}),
        body({**X, "datatype": "BYTES"}),
        body({**X, "data": [1, None]}),
        body({**X, "data": ["1", "2"]}),
        body({**X, "data": [True, False]}),
        body({**X, "data": [[1], 2]}),
        body({**X, "data": [[1], [2, 3]]}),
        body({**X, "data": {}}),
        body({**X, "parameters": []}),
        body({**X, "parameters": {"binary_data_size": 8}}) + b"1234567",
        body({**X, "parameters": {"binary_data_size": 8}}) + b"123456789",
        body({**X, "parameters": {"binary_data_size": -8}}) + b"12345678",
        body({**X, "parameters": {"binary_data_size": True}}) + b"1",
        b'{"instances": [1, "a"]}',
        b'{"instances": [[1, 2], [3]]}',
        b'{"instances": [[1], [2], [3, 4]]}',
        b'{"instances": [{"x": 1}, {"y": 1}]}',
        b'{"instances": [{"x": 1}, 2]}',
        b'{"instances": [{"x": {"b64": ""}}]}',
        b'{"instances": ' + b"[" * 70 + b"1" + b"]" * 70 + b"}",
        b'{"instances": [1]} more',
    ],
)
def test_what_contradicts_itself_is_refused(sent: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        request_arrays(sent)
    assert caught.value.reason is RejectReason.UNDECODABLE


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["inputs", "instances", "name", "shape", "data", "datatype"]), inner),
).map(lambda content: json.dumps(content).encode()))  # fmt: skip
def test_whatever_comes_is_read_or_refused(sent: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        assert all(isinstance(array, np.ndarray) for array in request_arrays(sent).values())
