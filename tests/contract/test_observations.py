"""Whatever way a request came in, the same tensors give the same items."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2
from tritonclient.grpc import service_pb2

from sidecar.core.tensors import Array
from sidecar.serving.incumbent.server import encode_response
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.codec import decode_observation, decode_response
from sidecar.wire.v2.elements import UnreadableError, datatype_of, to_raw

Arrays = Mapping[str, Array]

INPUTS: Arrays = {
    "flags": np.array([[True, False], [False, True], [True, True]]),
    "small": np.array([[-1], [2], [3]], dtype=np.int8),
    "wide": np.array([2**40, -(2**40), 0], dtype=np.int64),
    "counts": np.array([1, 2, 2**16 - 1], dtype=np.uint16),
    "ids": np.array([2**64 - 1, 0, 1], dtype=np.uint64),
    "image": np.arange(24, dtype=np.float32).reshape(3, 2, 4),
    "exact": np.array([0.1, 0.2, 0.3]),
    "text": np.array([b"one", b"", b"\xff\x00"], dtype=np.object_),
}
OUTPUTS: Arrays = {"probabilities": np.array([[0.2, 0.8], [0.5, 0.5], [1, 0]], dtype=np.float32)}
FIELDS = {
    "BOOL": "bool",
    "INT8": "int",
    "INT64": "int64",
    "UINT16": "uint",
    "UINT64": "uint64",
    "FP32": "fp32",
    "FP64": "fp64",
    "BYTES": "bytes",
}


def v2_raw(inputs: Arrays, outputs: Arrays) -> scoring_pb2.Observation:
    request = service_pb2.ModelInferRequest(
        model_name="m",
        inputs=[
            {"name": name, "datatype": datatype_of(array), "shape": array.shape}
            for name, array in inputs.items()
        ],
        raw_input_contents=[to_raw(array) for array in inputs.values()],
    )
    response = encode_response("m", "1", "", outputs)
    return scoring_pb2.Observation(
        v2_request=request.SerializeToString(), v2_response=response.SerializeToString()
    )


def v2_typed(inputs: Arrays, outputs: Arrays) -> scoring_pb2.Observation:
    request, response = service_pb2.ModelInferRequest(), service_pb2.ModelInferResponse()
    for tensors, arrays in ((request.inputs, inputs), (response.outputs, outputs)):
        for name, array in arrays.items():
            tensor = tensors.add(name=name, datatype=datatype_of(array), shape=array.shape)
            field = f"{FIELDS[tensor.datatype]}_contents"
            getattr(tensor.contents, field).extend(array.ravel().tolist())
    return scoring_pb2.Observation(
        v2_request=request.SerializeToString(), v2_response=response.SerializeToString()
    )


def pushed(inputs: Arrays, outputs: Arrays) -> scoring_pb2.Observation:
    def tensors(arrays: Arrays) -> list[traffic_pb2.Tensor]:
        return [
            traffic_pb2.Tensor(
                name=name, datatype=datatype_of(array), shape=array.shape, contents=to_raw(array)
            )
            for name, array in arrays.items()
        ]

    return scoring_pb2.Observation(
        pushed=traffic_pb2.ObserveRequest(inputs=tensors(inputs), outputs=tensors(outputs))
    )


WAYS = [v2_raw, v2_typed, pushed]
Way = Callable[[Arrays, Arrays], scoring_pb2.Observation]


@pytest.mark.parametrize("way", WAYS)
def test_the_items_are_the_tensors(way: Way) -> None:
    batch = decode_observation(way(INPUTS, OUTPUTS))
    assert batch.items == 3
    for read, sent in ((batch.inputs, INPUTS), (batch.outputs, OUTPUTS)):
        assert list(read) == list(sent)
        for name, array in sent.items():
            assert read[name].dtype == array.dtype
            assert read[name].tolist() == array.tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"x": np.zeros((0, 2), dtype=np.float32)},
        {"x": np.zeros((), dtype=np.float32)},
        {"x": np.zeros(2, dtype=np.float32), "y": np.zeros(3, dtype=np.float32)},
    ],
)
def test_inputs_must_share_their_items(way: Way, inputs: Arrays) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode_observation(way(inputs, {}))
    assert caught.value.reason is RejectReason.NO_ITEMS


@pytest.mark.parametrize("way", WAYS)
def test_outputs_without_a_row_for_each_item_are_left_out(way: Way) -> None:
    batch = decode_observation(way(INPUTS, {**OUTPUTS, "summary": np.zeros((1, 4), dtype=np.float32)}))
    assert list(batch.outputs) == ["probabilities"]


@pytest.mark.parametrize("way", [v2_raw, v2_typed])
def test_shared_memory(way: Way) -> None:
    observation = way(INPUTS, OUTPUTS)
    response = service_pb2.ModelInferResponse.FromString(observation.v2_response)
    response.outputs[0].parameters["shared_memory_region"].string_param = "region"
    del response.raw_output_contents[:]
    response.outputs[0].ClearField("contents")
    observation.v2_response = response.SerializeToString()
    assert decode_observation(observation).outputs == {}
    request = service_pb2.ModelInferRequest.FromString(observation.v2_request)
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"
    observation.v2_request = request.SerializeToString()
    with pytest.raises(UnreadableError) as caught:
        decode_observation(observation)
    assert caught.value.reason is RejectReason.SHARED_MEMORY


def test_raw_contents_beside_empty_typed_ones_as_mlserver_answers() -> None:
    observation = v2_raw(INPUTS, OUTPUTS)
    response = service_pb2.ModelInferResponse.FromString(observation.v2_response)
    response.outputs[0].contents.SetInParent()
    observation.v2_response = response.SerializeToString()
    np.testing.assert_array_equal(
        decode_observation(observation).outputs["probabilities"], OUTPUTS["probabilities"]
    )


def test_contents_that_contradict_their_tensors() -> None:
    raw = service_pb2.ModelInferRequest.FromString(v2_raw(INPUTS, {}).v2_request)
    del raw.raw_input_contents[0]
    both = service_pb2.ModelInferRequest.FromString(v2_typed(INPUTS, {}).v2_request)
    both.raw_input_contents.extend(b"" for _ in both.inputs)
    wrong_field = service_pb2.ModelInferRequest.FromString(v2_typed(INPUTS, {}).v2_request)
    wrong_field.inputs[0].contents.fp64_contents.append(1)
    half = service_pb2.ModelInferRequest(inputs=[{"name": "x", "datatype": "FP16", "shape": [1]}])
    for request in (raw, both, wrong_field, half):
        with pytest.raises(UnreadableError) as caught:
            decode_observation(scoring_pb2.Observation(v2_request=request.SerializeToString()))
        assert caught.value.reason is RejectReason.UNDECODABLE


def test_bytes_that_are_no_message() -> None:
    with pytest.raises(UnreadableError, match="no ModelInferRequest"):
        decode_observation(scoring_pb2.Observation(v2_request=b"\xff"))
    with pytest.raises(UnreadableError, match="no ModelInferResponse"):
        decode_response(b"\xff")
