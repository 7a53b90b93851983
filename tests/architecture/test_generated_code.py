"""The committed generated code is what proto/ says, and the check can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proto.generate", "--check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own


def test_no_drift() -> None:
    assert check(ROOT).returncode == 0


def test_drift_is_caught_and_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    changed = tmp_path / "proto/pilotfish/v1/traffic.proto"
    changed.write_text(changed.read_text().replace("uint64 skipped = 3", "uint64 left_out = 3"))
    result = check(tmp_path)
    assert result.returncode == 1
    assert "pilotfish/v1/traffic_pb2.py" in result.stderr
    assert "make proto" in result.stderr
