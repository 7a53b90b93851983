"""Each import contract holds, and is able to fail: a planted violation is caught."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

VIOLATIONS = {
    "rooms by process and purpose": ("serving/board/planted.py", "import sidecar.scoring.worker"),
    "wire, inference and telemetry know core only": (
        "wire/planted.py",
        "import sidecar.estimation.ranking.decision",
    ),
    "the configuration knows core only": (
        "config/planted.py",
        "import sidecar.estimation.accuracy",
    ),
    "estimates are made one way": ("estimation/measures/planted.py", "import sidecar.estimation.accuracy"),
    "numeric rooms do no I/O and know no clock, no protobuf, no global randomness": (
        "estimation/accuracy/planted.py",
        "import time",
    ),
    "estimation knows no files": ("estimation/performance/planted.py", "import sidecar.core.files"),
    "serving: from the program down to the captures": (
        "serving/capture/core/planted.py",
        "import sidecar.serving.control.listeners",
    ),
    "captures share their core only": (
        "serving/capture/mirror/planted.py",
        "import sidecar.serving.capture.ext_proc",
    ),
    "runners know no other runner": (
        "scoring/runners/onnx/planted.py",
        "import sidecar.scoring.runners.v2.model",
    ),
    "scoring: from the program down to the runners": (
        "scoring/runners/planted.py",
        "import sidecar.scoring.endpoint",
    ),
    "what takes traffic in or runs models knows no estimation and no configuration": (
        "serving/capture/proxy/planted.py",
        "import sidecar.config",
    ),
    "tools: commands on top": ("tools/profiles/planted.py", "import sidecar.tools.cli"),
    "profiles know measures only": (
        "tools/profiles/planted.py",
        "import sidecar.estimation.ranking",
    ),
    "injection is data in, data out": ("tools/injection/planted.py", "import pathlib"),
    "one V2 binding, where V2 servers are asked or played": (
        "scoring/endpoint/planted.py",
        "import tritonclient.grpc",
    ),
    "one model runtime, in inference and measuring": ("serving/api/planted.py", "import onnxruntime"),
    "never: a second V2 binding, pickle, a licence that cannot be linked": (
        "core/planted.py",
        "import pickle",
    ),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(  # noqa: S603 - our own tool
        [program, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "sidecar", tmp_path / "sidecar", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_has_a_violation() -> None:
    assert {contract["name"] for contract in CONTRACTS} == set(VIOLATIONS)


def test_the_contracts_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("serving/api", "import sidecar.scoring.report"),
        ("serving/api", "import sidecar.tools.records"),
        ("scoring/runners", "import sidecar.serving.link"),
        ("scoring/endpoint", "import sidecar.tools.profiles"),
        ("core", "import sidecar.wire.frames"),
        ("", "import numpy"),
    ],
)
def test_no_room_may_know_one_beside_or_above_it(place: str, line: str, copy: Path) -> None:
    (copy / "sidecar" / place / "planted.py").write_text(f"{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert "rooms by process and purpose" in " ".join(result.stdout.split() + result.stderr.split())


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_violation_is_caught(name: str, copy: Path) -> None:
    place, line = VIOLATIONS[name]
    (copy / "sidecar" / place).write_text(f"{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert f"{name} BROKEN" in " ".join(result.stdout.split())
