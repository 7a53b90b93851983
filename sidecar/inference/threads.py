"""Tells how many cores this process may use, by its affinity, its cgroups' limits and a budget."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def threads_within(cpu_share: float) -> int:
    """Returns the whole cores that a budget and the process's limits allow, at least 1; inf is no budget."""
    cores = available_cores()
    return max(math.floor(cores if cpu_share > cores else math.ceil(cpu_share)), 1)


def available_cores(root: Path = Path("/")) -> float:
    """Reads the process's limit on CPU time, in cores; 0.5 is half a core.

    Args:
        root: folder where `proc` and `sys` are mounted.

    References:
        Linux, cgroup-v2.rst (`cpu.max`) and sched-bwc.rst (`cpu.cfs_quota_us`).
    """
    return min(float(len(os.sched_getaffinity(0))), *_cgroup_limits(root), float("inf"))


def _cgroup_limits(root: Path) -> Iterator[float]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            base, read = root / "sys/fs/cgroup", _limit_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "sys/fs/cgroup" / controllers, _limit_v1
            base = base if base.exists() else root / "sys/fs/cgroup/cpu"
        else:
            continue
        # In a container the mount often shows the container's own group at its top, while the path is the
        # host's. So every ancestor is tried; an ancestor that does not exist sets no limit.
        place = PurePosixPath(group.lstrip("/"))
        for folder in (place, *place.parents):
            try:
                limit = read(base / folder)
            except (OSError, ValueError):
                continue
            yield limit


def _limit_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return float("inf") if quota == "max" else int(quota) / int(period)


def _limit_v1(folder: Path) -> float:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return float("inf") if quota <= 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
