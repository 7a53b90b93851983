"""The chart's alerts and dashboard are what helm/monitoring says, and the check can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "helm.monitoring", "--check"]
    return subprocess.run(  # noqa: S603 - our own
        command, cwd=folder, env={}, capture_output=True, text=True, check=False
    )


def test_no_drift() -> None:
    result = check(ROOT)
    assert result.returncode == 0, result.stderr


def test_drift_is_caught_and_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "helm", tmp_path / "helm")
    changed = tmp_path / "helm" / "monitoring" / "service_alerts.py"
    changed.write_text(changed.read_text().replace('lasting="5m"', 'lasting="6m"'))
    result = check(tmp_path)
    assert result.returncode == 1
    assert "rules.yaml, grafana-alerts.yaml differ" in result.stderr
    assert "make helm" in result.stderr
