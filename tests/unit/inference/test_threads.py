from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.inference.threads import available_cores


def _write(root: Path, path: str, content: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 8


def test_the_least_limit_above_the_process_counts(tmp_path: Path) -> None:
    _write(tmp_path, "proc/self/cgroup", "0::/pods/one\n")
    _write(tmp_path, "sys/fs/cgroup/pods/one/cpu.max", "max 100000\n")
    _write(tmp_path, "sys/fs/cgroup/pods/cpu.max", "150000 100000\n")
    assert available_cores(tmp_path) == 1.5


def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path) -> None:
    _write(tmp_path, "proc/self/cgroup", "0::/host/only/path\n")
    _write(tmp_path, "sys/fs/cgroup/cpu.max", "25000 100000\n")
    assert available_cores(tmp_path) == 0.25


@pytest.mark.parametrize(("quota", "cores"), [("200000", 2.0), ("-1", 8.0)])
def test_version_1(tmp_path: Path, quota: str, cores: float) -> None:
    _write(tmp_path, "proc/self/cgroup", "3:cpuset:/x\n2:cpu,cpuacct:/x\n0::/\n")
    _write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", quota)
    _write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000")
    assert available_cores(tmp_path) == cores
