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
    "data flows one way": ("measures/planted.py", "import sidecar.accuracy"),
    "what takes traffic in or runs models knows no measure and no configuration": (
        "window/planted.py",
        "import sidecar.config",
    ),
    "profiles know measures only": ("profiles/planted.py", "import sidecar.ranking"),
    "numeric rooms do no I/O and know no clock, no protobuf, no global randomness": (
        "accuracy/planted.py",
        "import time",
    ),
    "injection is data in, data out": ("injection/planted.py", "import pathlib"),
    "one V2 binding, in capture, shadow and measuring": ("scoring/planted.py", "import tritonclient.grpc"),
    "one model runtime, in shadow and measuring": ("serving/planted.py", "import onnxruntime"),
    "never: a second V2 binding, pickle, a licence that cannot be linked": (
        "domain/planted.py",
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


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_violation_is_caught(name: str, copy: Path) -> None:
    place, line = VIOLATIONS[name]
    (copy / "sidecar" / place).write_text(f"{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert f"{name} BROKEN" in " ".join(result.stdout.split())
