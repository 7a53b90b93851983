"""Real models, real clocks: what holds however busy the machine is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import TensorSpec
from sidecar.estimation.performance.options import ONNX
from sidecar.inference.onnx import OnnxModel
from sidecar.tools.measuring.inputs import random_inputs, repeated
from sidecar.tools.measuring.observation import Effort, timings
from sidecar.tools.measuring.once import observe
from sidecar.tools.measuring.onnx import OnnxRunner
from tests.support.models import DigitsModels, TextModel

SHORT = Effort(seconds=0.0, requests=10, warm_up_s=0.0)
DEFAULTS = {name: option.default for name, option in ONNX.items()}


def test_timings_of_known_latencies() -> None:
    found = timings([0.01] * 98 + [0.5, 0.9], elapsed_s=2.0, items=8)
    assert found == {"latency_p50_s": 0.01, "latency_p99_s": 0.9, "throughput_per_s": 400.0}
    assert timings([0.01] * 199 + [0.5], 2.0, 1)["latency_p99_s"] == 0.01


def test_every_option_reaches_onnxruntime(digits_models: DigitsModels) -> None:
    path = digits_models.paths["upright"]
    inputs = random_inputs(OnnxModel(path).inputs, 4, np.random.default_rng(0))
    changed = {
        "intra_op_threads": 2,
        "inter_op_threads": 2,
        "graph_optimization": "basic",
        "execution_mode": "parallel",
        "memory_arena": False,
        "memory_pattern": False,
        "spinning": False,
        "batch_size": 4,
    }
    found = observe(path, inputs, {**DEFAULTS, **changed}, SHORT)
    assert found.metrics.keys() >= {"latency_p50_s", "latency_p99_s", "throughput_per_s", "memory_bytes"}
    assert all(value > 0 for value in found.metrics.values())
    assert found.metrics["latency_p50_s"] <= found.metrics["latency_p99_s"]


def test_a_process_of_its_own_observes_text_and_tells_failures(text_model: TextModel) -> None:
    inputs = random_inputs(OnnxModel(text_model.path).inputs, 2, np.random.default_rng(0))
    with OnnxRunner(text_model.path, inputs, SHORT) as runner:
        assert runner.observe({"batch_size": 2}).metrics["throughput_per_s"] > 0
        with pytest.raises(InvalidError, match=r"has no TensorrtExecutionProvider; it has .*CPU"):
            runner.observe({"provider": "tensorrt"})


def test_a_model_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with (
        OnnxRunner(tmp_path / "gone.onnx", {}, SHORT) as runner,
        pytest.raises(InvalidError, match=r"gone.onnx: .*") as caught,
    ):
        runner.observe({})
    assert "\n" not in str(caught.value)


def test_drawn_items_fit_their_inputs() -> None:
    specs = (
        TensorSpec("x", "FP32", (3, 2)),
        TensorSpec("ids", "INT64", (5,)),
        TensorSpec("on", "BOOL", ()),
        TensorSpec("text", "BYTES", (1,)),
    )
    drawn = random_inputs(specs, 7, np.random.default_rng(0))
    assert {name: (array.shape, array.dtype.kind) for name, array in drawn.items()} == {
        "x": ((7, 3, 2), "f"),
        "ids": ((7, 5), "i"),
        "on": ((7,), "b"),
        "text": ((7, 1), "O"),
    }
    with pytest.raises(InvalidError, match="--data"):
        random_inputs((TensorSpec("x", "FP32", (-1,)),), 1, np.random.default_rng(0))


def test_too_few_items_are_sent_again() -> None:
    assert repeated({"x": np.arange(3)}, 7)["x"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert repeated({"x": np.arange(3)}, 2)["x"].tolist() == [0, 1]
