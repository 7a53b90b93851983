"""How a round's processor time and memory grow in classes, candidates and items; part of `benchmarks.round`.

Each size is ranked in a process of its own, through the product's own scorer, profiles and models; the files
are made before, in this one. To be run again when measures or the estimate of accuracy change.
"""

from __future__ import annotations

import os

# One thread, as in the sidecar.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sidecar.config.schema import Endpoint
from sidecar.core.tensors import Array, Batch
from sidecar.costs.candidate import Costs
from sidecar.estimation.measures.cost import ROUND_S
from sidecar.estimation.measures.table import measure_all
from sidecar.formats.profile import write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.giving_back import give_back_large_blocks_at_once
from sidecar.scoring.runners.opening import OpenModels
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

CLASSES: Final = (10, 100, 1000)
CANDIDATES: Final = (5, 20)
ITEMS: Final = (1024, 4096)
FEATURES: Final = 64
ROWS: Final = 3000
# Of a class around its centre.
SPREAD: Final = 2.5
# What the largest size may take: processor time of a round, and resident memory at its highest in it.
MOST_MIB: Final = 600.0
_PROFILES: Final = "*.safetensors"
_LIVE: Final = "live.npy"


def growth() -> bool:
    """Prints a line for each size; returns whether the largest keeps its bars."""
    heads = f"{'classes':>8}{'candidates':>12}{'items':>7}{'round s':>9}{'measures s':>12}{'MiB':>6}"
    print(f"{heads}  not computed")
    found: dict[str, Any] = {}
    for classes in CLASSES:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), classes)
            for candidates, items in product(CANDIDATES, ITEMS):
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.round_growth",
                    folder,
                    str(candidates),
                    str(items),
                ]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found = json.loads(done.stdout)
                print(
                    f"{classes:>8}{candidates:>12}{items:>7}{found['round_s']:>9.2f}{found['measures_s']:>12.2f}"
                    f"{found['peak_mib']:>6.0f}  {', '.join(found['left_out'])}",
                    flush=True,
                )
    met = bool(found["round_s"] <= ROUND_S and found["peak_mib"] <= MOST_MIB)
    print(f"bar: the last within {ROUND_S:g} s and {MOST_MIB:g} MiB: {'met' if met else 'MISSED'}")
    return met


def make(folder: Path, classes: int) -> None:
    """Writes linear models of growing noise, their profiles, and the traffic that they will answer."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, FEATURES))
    for name in ("train", "validation"):
        rows, labels = _drawn(rng, centres, ROWS)
        np.savez(folder / f"{name}.npz", x=rows, y=labels)
    np.save(folder / _LIVE, _drawn(rng, centres, max(ITEMS))[0])
    for number in range(max(CANDIDATES)):
        path = folder / f"{number:02}.onnx"
        noise = 0.1 + 0.05 * number
        path.write_bytes(_linear(centres + rng.normal(scale=noise, size=centres.shape)).SerializeToString())
        model = OnnxModel(path)
        train, validation = (
            open_rows(folder / f"{name}.npz", model.inputs, label="y") for name in ("train", "validation")
        )
        profile = build_profile(
            model,
            train,
            validation,
            output=class_output(model),
            classes=tuple(str(label) for label in range(classes)),
            partition_rows=500,
            seed=0,
            progress=lambda _: None,
        )
        write_profile(profile, path.with_suffix(".safetensors"))


def measured(folder: Path, candidates: int, items: int) -> dict[str, Any]:
    """Ranks once in this process.

    Returns:
        processor seconds of a round, and of its default measures apart; the highest resident memory in the
        round, MiB; the default measures that the round leaves out for their cost.
    """
    give_back_large_blocks_at_once()
    paths = sorted(folder.glob(_PROFILES))[:candidates]
    endpoint = Endpoint.model_validate(
        {
            "name": "growth",
            "incumbent": paths[0].stem,
            "candidates": [
                {"name": path.stem, "profile": str(path), "onnx": {"path": str(path.with_suffix(".onnx"))}}
                for path in paths
            ],
            "window": {"items": items, "bytes": 1 << 30},
        }
    )
    scorer = EndpointScorer(
        endpoint, open_model=OpenModels(threads=1), costs=Costs(shadow_threads=1), clock=time.monotonic
    )
    scorer.load()
    rows = np.load(folder / _LIVE)[:items]
    for start in range(0, items, 32):
        scorer.keep(Batch(inputs={"x": rows[start : start + 32]}, outputs={}))
    scorer.catch_up()
    # Loading and answering had a peak of their own.
    Path("/proc/self/clear_refs").write_text("5")
    start_s = time.process_time()
    ranking = scorer.rank().ranking
    round_s = time.process_time() - start_s
    peak_kib = next(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    if ranking.candidates[0].accuracy is None:
        raise RuntimeError(ranking.reason)
    evidence = scorer.evidence()[1]
    start_s = time.process_time()
    found = measure_all(evidence)[0]
    return {
        "round_s": round_s,
        "measures_s": time.process_time() - start_s,
        "peak_mib": peak_kib / 1024,
        "left_out": [one.name for one in found if one.reason.startswith("not computed")],
    }


def _drawn(rng: np.random.Generator, centres: Array, rows: int) -> tuple[Array, Array]:
    """Classes around their centres."""
    labels = rng.integers(len(centres), size=rows)
    return (centres[labels] + rng.normal(scale=SPREAD, size=(rows, FEATURES))).astype(np.float32), labels


def _linear(weights: Array) -> onnx.ModelProto:
    """The classifier whose class centres are the weights."""
    offsets = -(weights**2).sum(axis=1) / 2
    arrays = {name: (of / SPREAD**2).astype(np.float32) for name, of in (("w", weights), ("b", offsets))}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["logits"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(weights)])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
