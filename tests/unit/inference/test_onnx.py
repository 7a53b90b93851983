from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from skl2onnx.common.data_types import FloatTensorType

from sidecar.config.schema import Candidate, Onnx
from sidecar.core.casting import cast
from sidecar.core.errors import InvalidError
from sidecar.core.providers import PROVIDERS
from sidecar.core.tensors import DATATYPES, TensorSpec
from sidecar.inference.onnx import OnnxModel, class_output
from tests.support.models import DigitsModels, TextModel, export


def _value(name: str, kind: int, shape: list[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[TensorProto] | None = None,
    **options: object,
) -> Path:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path, **options)
    return path


def _identity(path: Path, kind: int, shape: list[int | str | None]) -> Path:
    node = helper.make_node("Identity", ["x"], ["y"])
    return _save(path, [node], [_value("x", kind, shape)], [_value("y", kind, shape)])


def _doubling(path: Path, shape: list[int | str | None]) -> Path:
    node = helper.make_node("Add", ["x", "x"], ["y"])
    return _save(
        path, [node], [_value("x", TensorProto.FLOAT, shape)], [_value("y", TensorProto.FLOAT, shape)]
    )


def test_answers_as_scikit_learn_does(digits_models: DigitsModels) -> None:
    path = digits_models.paths["upright"]
    model = OnnxModel(path)
    images = digits_models.validation["upright"]

    answers = model.run({"X": images.astype(np.float64), "unknown": images})

    expected = digits_models.estimators["upright"].predict_proba(images)
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
    assert model.inputs == (TensorSpec("X", "FP32", (64,)),)
    assert model.outputs[1] == TensorSpec("probabilities", "FP32", (10,))
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.max_items is None
    assert class_output(model) == "probabilities"


def test_text_is_given_as_bytes_or_str(text_model: TextModel) -> None:
    model = OnnxModel(text_model.path)
    assert model.inputs == (TensorSpec("text", "BYTES", (1,)),)

    as_str = np.array(text_model.texts, dtype=object)[:, None]
    as_bytes = np.array([text.encode() for text in text_model.texts], dtype=object)[:, None]

    answers = model.run({"text": as_bytes})
    np.testing.assert_array_equal(answers["probabilities"], model.run({"text": as_str})["probabilities"])
    assert ["bad", "good"][int(answers["probabilities"][0].argmax())] == "good"

    with pytest.raises(InvalidError, match="'text' takes UTF-8 text, and item 1 is not"):
        model.run({"text": np.array([[b"a"], [b"\xff"]], dtype=object)})


@pytest.mark.parametrize("items", [1, 3, 4, 7, 8])
def test_a_fixed_item_axis_is_padded_and_split(tmp_path: Path, items: int) -> None:
    model = OnnxModel(_doubling(tmp_path / "fixed.onnx", [4, 2]))
    values = np.arange(items * 2, dtype=np.float32).reshape(items, 2)

    assert model.max_items == 4
    np.testing.assert_array_equal(model.run({"x": values})["y"], values * 2)


def test_swapped_byte_order_is_read_right(tmp_path: Path) -> None:
    model = OnnxModel(_doubling(tmp_path / "m.onnx", [None, 2]))
    np.testing.assert_array_equal(model.run({"x": np.ones((1, 2), ">f4")})["y"], [[2, 2]])


@example(values=[1 + 2**-8, 1 + 3 * 2**-8])  # halfway: to even
@given(
    values=st.lists(
        st.floats(width=32, allow_subnormal=False, max_value=2.0**126, min_value=-(2.0**126)), min_size=1
    )
)
def test_bfloat16_inputs_are_rounded_to_nearest(bfloat16_model: OnnxModel, values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)[:, None]

    answered = bfloat16_model.run({"x": array})["y"]

    tensor = helper.make_tensor("t", TensorProto.BFLOAT16, array.shape, array.ravel())
    np.testing.assert_array_equal(answered, onnx.numpy_helper.to_array(tensor).astype(np.float32))


@pytest.fixture(scope="module")
def bfloat16_model(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    inputs = [_value("x", TensorProto.BFLOAT16, [None, 1])]
    outputs = [_value("y", TensorProto.FLOAT, [None, 1])]
    return OnnxModel(_save(tmp_path_factory.mktemp("bf") / "bf.onnx", [node], inputs, outputs))


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1, 0, 0, 3])
    _save(
        tmp_path / "ext.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [_value("x", TensorProto.FLOAT, ["n", 2])],
        [_value("y", TensorProto.FLOAT, ["n", 2])],
        [onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights), "w")],
        save_as_external_data=True,
        location="ext.bin",
        size_threshold=0,
    )
    model = OnnxModel(tmp_path / "ext.onnx")
    np.testing.assert_array_equal(model.run({"x": np.ones((1, 2), np.float32)})["y"], [[1, 3]])

    (tmp_path / "ext.bin").unlink()
    with pytest.raises(InvalidError, match=r"ext\.onnx.*ext\.bin"):
        OnnxModel(tmp_path / "ext.onnx")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"none\.onnx.*No such file.*check the path"):
        OnnxModel(tmp_path / "none.onnx")
    with pytest.raises(InvalidError, match="check the path"):
        OnnxModel(tmp_path)


@given(cut=st.floats(0, 1), noise=st.binary(max_size=40))
def test_a_broken_model_is_an_error_and_no_crash(
    digits_models: DigitsModels, cut: float, noise: bytes
) -> None:
    content = digits_models.paths["upright"].read_bytes()
    path = digits_models.paths["upright"].with_name("broken.onnx")
    path.write_bytes(content[: int(cut * (len(content) - 10))] + b"\xff\xff\xff" + noise)
    with pytest.raises(InvalidError, match=r"broken\.onnx"):
        OnnxModel(path)


def test_a_session_option_that_onnxruntime_refuses_is_told(digits_models: DigitsModels) -> None:
    with pytest.raises(InvalidError, match=r"upright\.onnx"):
        OnnxModel(digits_models.paths["upright"], options={"k" * 5000: "1"})


def test_zipmap_is_refused_with_the_mend(digits_models: DigitsModels, tmp_path: Path) -> None:
    path = tmp_path / "zipmap.onnx"
    export(digits_models.estimators["upright"], [("X", FloatTensorType([None, 64]))], path, zipmap=True)
    with pytest.raises(InvalidError, match=r'output_probability.*not a tensor.*"zipmap": False'):
        OnnxModel(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [([], "no item axis"), ([0, 2], "not at one size above 0")],
)
def test_inputs_without_items_are_refused(
    tmp_path: Path, shape: list[int | str | None], message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        OnnxModel(_doubling(tmp_path / "m.onnx", shape))


def test_tensors_that_numpy_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"output 'y' is tensor\(bfloat16\).*cast it to float32"):
        OnnxModel(_identity(tmp_path / "m.onnx", TensorProto.BFLOAT16, [None, 1]))


def test_inputs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = OnnxModel(_doubling(tmp_path / "m.onnx", [None, 2]))
    with pytest.raises(
        InvalidError, match=r"input 'x' \(FP32 \[items, 2\]\) is missing; the request has \['z'\]"
    ):
        model.run({"z": np.ones((1, 2))})
    with pytest.raises(InvalidError, match=r"'x' takes FP32 \[items, 2\]; the request has float64 \[1, 3\]"):
        model.run({"x": np.ones((1, 3))})
    with pytest.raises(InvalidError, match=r"'x' takes FP32; <U1 cannot become that"):
        model.run({"x": np.array([["a", "b"]])})
    with pytest.raises(InvalidError, match="at least one"):
        model.run({"x": np.ones((0, 2))})


def test_inputs_of_different_length_are_refused(tmp_path: Path) -> None:
    inputs = [_value(name, TensorProto.FLOAT, [None]) for name in ("a", "b")]
    node = helper.make_node("Add", ["a", "b"], ["y"])
    model = OnnxModel(_save(tmp_path / "m.onnx", [node], inputs, [_value("y", TensorProto.FLOAT, [None])]))
    with pytest.raises(InvalidError, match="same items"):
        model.run({"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)})


def test_a_model_that_fails_is_told(tmp_path: Path) -> None:
    node = helper.make_node("Gather", ["w", "x"], ["y"])
    weights = [helper.make_tensor("w", TensorProto.FLOAT, [3], [1, 2, 3])]
    path = _save(
        tmp_path / "m.onnx",
        [node],
        [_value("x", TensorProto.INT64, [None])],
        [_value("y", TensorProto.FLOAT, [None])],
        weights,
    )
    with pytest.raises(InvalidError, match="the model fails on 1 items"):
        OnnxModel(path).run({"x": np.array([7])})


def test_an_output_without_the_items_is_told(tmp_path: Path) -> None:
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    inputs = [_value("x", TensorProto.FLOAT, [None, 2])]
    model = OnnxModel(_save(tmp_path / "m.onnx", [node], inputs, [_value("y", TensorProto.FLOAT, [])]))
    with pytest.raises(InvalidError, match=r"output 'y' has shape .* for 3 items"):
        model.run({"x": np.ones((3, 2), np.float32)})


class _Outputs:
    def __init__(self, *outputs: TensorSpec) -> None:
        self.outputs = outputs


def test_the_class_output_is_found_or_asked_for() -> None:
    label = TensorSpec("label", "INT64", ())
    first, second = TensorSpec("a", "FP32", (3,)), TensorSpec("b", "FP16", (3,))
    score = TensorSpec("score", "FP32", ())

    assert class_output(_Outputs(label, first)) == "a"
    assert class_output(_Outputs(label, first, second), "b") == "b"
    assert class_output(_Outputs(label, score), "score") == "score"
    with pytest.raises(InvalidError, match=r"'a' .*'b' .*name the output"):
        class_output(_Outputs(first, second))
    with pytest.raises(InvalidError, match="no output 'label' of floats"):
        class_output(_Outputs(label, first), "label")


@given(st.sampled_from(["UINT8", "INT8", "INT16", "UINT64", "INT64"]), st.integers(-(2**63), 2**63 - 1))
def test_integers_become_integers_that_hold_them(datatype: str, value: int) -> None:
    array, spec = np.array([value], dtype=np.int64), TensorSpec("x", datatype, ())
    if np.iinfo(DATATYPES[datatype]).min <= value <= np.iinfo(DATATYPES[datatype]).max:
        result = cast(array, spec)
        assert result.dtype == DATATYPES[datatype]
        assert int(result[0]) == value
    else:
        with pytest.raises(InvalidError, match=f"takes {datatype}; the values reach from {value} to {value}"):
            cast(array, spec)


@pytest.mark.parametrize(
    ("values", "datatype"),
    [([1.0], "INT64"), ([1], "BOOL"), ([1], "BYTES"), (["1"], "FP32"), ([b"1"], "INT8"), ([1j], "FP64")],
)
def test_values_of_another_kind_are_refused(values: list[object], datatype: str) -> None:
    with pytest.raises(InvalidError, match=f"takes {datatype}; .* cannot become that"):
        cast(np.array(values), TensorSpec("x", datatype, ()))


def test_integers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidError, match="takes UINT8; the values reach from -1 to 300"):
        cast(np.array([-1, 300]), TensorSpec("x", "UINT8", ()))
    with pytest.raises(InvalidError, match="takes FP16; a value is too large"):
        cast(np.array([1e6]), TensorSpec("x", "FP16", ()))


def test_nothing_but_the_processor_runs_a_model_unless_another_provider_is_named(
    digits_models: DigitsModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = digits_models.paths["upright"]
    assert OnnxModel(path)._session.get_providers() == ["CPUExecutionProvider"]
    asked: list[list[str]] = []
    opened = onnxruntime.InferenceSession

    def open_session(*given: object, providers: list[str]) -> object:
        asked.append(providers)
        return opened(*given, providers=["CPUExecutionProvider"])

    everything = [*PROVIDERS.values()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: everything)
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    settings = {"name": "a", "profile": "a", "onnx": {"path": path}}
    assert Candidate.model_validate(settings).onnx == Onnx(path=path, provider="cpu")
    OnnxModel(path)
    assert asked == [["CPUExecutionProvider"]]
    # onnxruntime itself would go on with the processor and say nothing.
    with pytest.raises(InvalidError, match="CUDAExecutionProvider does not start here"):
        OnnxModel(path, provider="cuda")
    assert asked[1:] == [["CUDAExecutionProvider"]]


def test_a_provider_that_this_onnxruntime_lacks_is_told(digits_models: DigitsModels) -> None:
    with pytest.raises(InvalidError, match=r"this onnxruntime has no CUDAExecutionProvider; it has .*CPU"):
        OnnxModel(digits_models.paths["upright"], provider="cuda")
