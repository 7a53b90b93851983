"""Names the machine that is measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def hardware(root: Path = Path("/")) -> str:
    """The processor's name and how many of its cores this process may use.

    Args:
        root: where `proc` is mounted.
    """
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    # Arm's kernels name no model.
    return f"{next(names, platform.machine())}, {len(os.sched_getaffinity(0))} cores"
