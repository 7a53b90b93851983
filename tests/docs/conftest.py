"""The folder in which the pages' snippets run: models, profiles, data, a configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.tools.records.performance_table import write_tables
from tests.support.models import DigitsModels
from tests.support.running_sidecar import write_profiles

# As the pages call them, and what they are.
_NAMES = {"digits-2024": "upright", "digits-eu": "rotated", "digits-us": "upright"}
_CONFIG = """
endpoints:
  - name: digits
    capture:
      - proxy: {listen: 127.0.0.1:9001}
    incumbent: digits-2024
    candidates:
      - {name: digits-2024, profile: profiles/digits-2024.safetensors, onnx: {path: models/digits-2024.onnx}}
      - {name: digits-eu, profile: profiles/digits-eu.safetensors, onnx: {path: models/digits-eu.onnx}}
    ranking: {every: 200ms}
serve: {grpc: 127.0.0.1:9500, http: 127.0.0.1:9400}
"""
_MODELS = """model,accuracy,accuracy_sd,latency_p99_s,memory_bytes
mobilenet,0.752,0.004,0.004,2e8
resnet-50,0.808,0.004,0.014,4e8
resnet-101,0.822,0.004,0.026,6e8
convnext,0.846,0.004,0.033,8e8
vit-large,0.861,0.004,0.09,2e9
"""


@pytest.fixture(scope="session")
def workspace(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, made = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("made")
    write_profiles(digits_models, made)
    (folder / "models").mkdir()
    (folder / "profiles").mkdir()
    for name, what in _NAMES.items():
        shutil.copy(made / f"{what}.onnx", folder / "models" / f"{name}.onnx")
        shutil.copy(made / f"{what}.safetensors", folder / "profiles" / f"{name}.safetensors")
    (folder / "pilotfish.yaml").write_text(_CONFIG)
    (folder / "models.csv").write_text(_MODELS)
    images, labels = digits_models.validation["rotated"], digits_models.validation_labels
    np.savez(folder / "sample.npz", X=images, digit=labels)
    _write_rows(digits_models.train["upright"], digits_models.train_labels, folder / "train.parquet")
    _write_rows(digits_models.validation["upright"], labels, folder / "val.parquet")
    answers = [digits_models.estimators[name].predict(images) for name in ("upright", "rotated")]
    names = np.array(["digits-2024", "digits-eu"])
    np.savez(folder / "pool.npz", predictions=np.stack(answers, axis=1), truth=labels, models=names)
    write_tables([_costs("server", 1.0, None)], folder / "elsewhere.parquet")
    write_tables([_costs("edge", 3.0, 6)], folder / "here.parquet")
    return folder


def _write_rows(images: Array, labels: Array, path: Path) -> None:
    parquet.write_table(pa.table({"X": list(images), "digit": labels}), path)


def _costs(hardware: str, slowness: float, rows: int | None) -> PerformanceTable:
    space = Space(
        (
            ONNX["intra_op_threads"].option("intra_op_threads", [1, 2], None),
            ONNX["batch_size"].option("batch_size", [1, 2, 4, 8, 16], None),
        )
    )
    rng = np.random.default_rng(0)
    codes: Floats = rng.permutation(space.every())[:rows]
    latency = slowness * 1e-3 * (1 + codes[:, 1] / codes[:, 0]) * np.exp(rng.normal(0, 0.02, len(codes)))
    costs = {"latency_p50_s": latency, "memory_bytes": 1e7 * codes[:, 1]}
    return PerformanceTable(space, {"hardware": hardware}, codes, costs)
