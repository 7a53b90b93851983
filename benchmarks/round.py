"""A round against the shadow inference that it follows: 4,096 items x 20 candidates x 10 classes.

Run it with `python -m benchmarks.round`; it exits 1 when a round of a forest or an image model's costs a
tenth of their shadow inference or more. A logistic regression stands beside them to show where the bar
cannot hold: hardly any model answers in less time. Then it shows how a round grows in classes, candidates and
items, see `benchmarks.round_growth`; `--growth` shows only that.
"""

from __future__ import annotations

import os

# One thread, as in the sidecar.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.round_growth import growth
from sidecar.config.schema import Endpoint
from sidecar.core.tensors import Array, Batch
from sidecar.costs.candidate import Costs
from sidecar.formats.profile import write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.runners.opening import OpenModels
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

CANDIDATES = 20
ITEMS = 4096
CLASSES = 10
TRAIN_ROWS = 3000
ROUNDS = 5
BAR = 0.1

Rows = tuple[Array, Array]


def main() -> int:
    """Prints the costs; returns the exit code."""
    kept = "--growth" in sys.argv[1:] or against_shadow()
    return 0 if growth() and kept else 1


def against_shadow() -> bool:
    """Prints a round beside its shadow inference; returns whether it keeps the bar."""
    print(f"{ITEMS} items x {CANDIDATES} candidates x {CLASSES} classes, one thread, {ROUNDS} rounds")
    print(
        f"{'model':<24}{'features':>9}{'shadow s':>10}{'us/answer':>11}{'update s':>10}{'round s':>9}"
        f"{'round/shadow':>14}"
    )
    met = True
    for name, features, made, judged in (
        ("logistic regression", 64, logistic, False),
        ("forest of 100 trees", 64, forest, True),
        ("image network, 5.6 MMAC", 3 * 32 * 32, network, True),
    ):
        with tempfile.TemporaryDirectory() as folder:
            shadow, update, seconds = costs(Path(folder), features, made)
        ratio = seconds / shadow
        met &= ratio < BAR or not judged
        print(
            f"{name:<24}{features:>9}{shadow:>10.2f}{shadow / ITEMS / CANDIDATES * 1e6:>11.1f}"
            f"{update:>10.2f}{seconds:>9.3f}{ratio:>14.3f}" + ("" if judged else "  (not judged)")
        )
    print(f"bar: a round under {BAR:.0%} of its shadow inference: {'met' if met else 'MISSED'}")
    return met


def costs(
    folder: Path, features: int, made: Callable[[Rows, int], onnx.ModelProto]
) -> tuple[float, float, float]:
    """Seconds in the models, seconds to keep statistics of the items, and seconds of a round."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, features))
    candidates = []
    for number in range(CANDIDATES):
        rows = drawn(rng, centres, TRAIN_ROWS, number / CANDIDATES)
        path = profiled(folder / f"{number}.onnx", rows, made(rows, number))
        candidates.append(
            {
                "name": str(number),
                "profile": str(path.with_suffix(".safetensors")),
                "onnx": {"path": str(path)},
            }
        )
    endpoint = Endpoint.model_validate(
        {
            "name": "round",
            "incumbent": "0",
            "candidates": candidates,
            "window": {"items": ITEMS, "bytes": 1 << 30},
        }
    )
    scorer = EndpointScorer(
        endpoint, open_model=OpenModels(threads=1), costs=Costs(shadow_threads=1), clock=time.monotonic
    )
    scorer.load()
    items, _ = drawn(rng, centres, ITEMS, 0.5)
    for start in range(0, ITEMS, 32):
        scorer.keep(Batch(inputs={"X": items[start : start + 32]}, outputs={}))
    start_s = time.monotonic()
    scorer.catch_up()
    whole = time.monotonic() - start_s
    shadow = sum(candidate.shadow_s for candidate in scorer.candidates)
    rounds = [scorer.rank() for _ in range(ROUNDS)]
    if any(one.ranking.candidates[0].accuracy is None for one in rounds):
        raise RuntimeError(rounds[0].ranking.reason)
    return shadow, whole - shadow, statistics.median(one.seconds for one in rounds)


def profiled(path: Path, rows: Rows, made: onnx.ModelProto) -> Path:
    """Writes a model, and its profile of these rows beside it."""
    path.write_bytes(made.SerializeToString())
    np.savez(path.with_name("train.npz"), x=rows[0], y=rows[1])
    model = OnnxModel(path)
    profile = build_profile(
        model,
        open_rows(path.with_name("train.npz"), model.inputs, label="y"),
        open_rows(path.with_name("train.npz"), model.inputs, label="y"),
        output=class_output(model),
        classes=tuple(str(label) for label in range(CLASSES)),
        partition_rows=500,
        seed=0,
        progress=lambda _: None,
    )
    write_profile(profile, path.with_suffix(".safetensors"))
    return path


def drawn(rng: np.random.Generator, centres: Array, rows: int, shift: float) -> Rows:
    """Classes around their centres, moved by a shift."""
    labels = rng.integers(CLASSES, size=rows)
    return (centres[labels] + shift + rng.normal(scale=3, size=(rows, centres.shape[1]))).astype(
        np.float32
    ), labels


def logistic(rows: Rows, seed: int) -> onnx.ModelProto:
    """The least that serves."""
    fitted = LogisticRegression(max_iter=200, random_state=seed).fit(*rows)
    return to_onnx(fitted, rows[0][:1], options={id(fitted): {"zipmap": False}})


def forest(rows: Rows, seed: int) -> onnx.ModelProto:
    """What often serves rows of a table."""
    fitted = RandomForestClassifier(100, random_state=seed, n_jobs=2).fit(*rows)
    return to_onnx(fitted, rows[0][:1], options={id(fitted): {"zipmap": False}})


def network(rows: Rows, seed: int) -> onnx.ModelProto:
    """A small image network with random weights: two convolutions, two poolings, one dense layer."""
    del rows
    rng = np.random.default_rng(seed)
    weights = {
        "shape": np.array([-1, 3, 32, 32]),
        "w1": rng.normal(scale=0.2, size=(32, 3, 3, 3)).astype(np.float32),
        "w2": rng.normal(scale=0.1, size=(64, 32, 3, 3)).astype(np.float32),
        "w3": rng.normal(scale=0.1, size=(64 * 8 * 8, CLASSES)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["X", "shape"], ["image"]),
        helper.make_node("Conv", ["image", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p2"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w3"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 3 * 32 * 32])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    sys.exit(main())
