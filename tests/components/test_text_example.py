"""The example `text-behind-v2` with a real Triton."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.components.triton_server import TritonServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "text-behind-v2"
NAMES = ("email", "chat", "both")
TEXTS = """
input [{ name: "text" data_type: TYPE_STRING dims: [1] }]
output [{ name: "probabilities" data_type: TYPE_FP32 dims: [4] }]
"""


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_the_candidates_that_fit_come_first(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder)
    run(folder, sys.executable, "train.py")
    files = {name: folder / "repository" / name / "1" / "model.onnx" for name in NAMES}
    for name, model in files.items():
        rows = ("--data", f"{name}-train.csv", "--validation", f"{name}-validation.csv", "--label", "topic")
        build = ("pilotfish", "profile", "build", "--model", str(model), *rows, "--partition-rows", "100")
        run(folder, *build, "--out", f"{name}.safetensors")
    # The bundled Triton has no onnxruntime backend: the models run in its Python backend.
    server = TritonServer(files, tmp_path / "triton", tensors=TEXTS)
    config = folder / "pilotfish.yaml"
    config.write_text(
        config.read_text().replace("127.0.0.1:8001", server.address).replace("batch: 64", "batch: 16")
    )
    try:
        server.start()
        assert "ok" in run(folder, "pilotfish", "check", "--config", "pilotfish.yaml")
        ranking = run(
            folder,
            "pilotfish",
            "rank",
            "--candidates",
            "pilotfish.yaml",
            "--data",
            "traffic.csv",
            "--labels",
            "topic",
        )
    finally:
        server.kill()
    ranked = [line for line in ranking.splitlines() if "│" in line]
    assert ranked[-1].split("│")[1].strip() == "email *"
    assert "regret 0.000" in ranking
