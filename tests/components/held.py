"""What a running sidecar holds of the system: to see that an outage leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.running_sidecar import RunningSidecar


def held(sidecar: RunningSidecar) -> Counter[str]:
    """Threads, sockets and other descriptors of both processes, and tasks of the serving one."""
    scoring = sidecar.sidecar.link.process_id
    assert scoring is not None
    counts = Counter({"tasks": sidecar.on_loop(_tasks())})
    for name, process in (("serving", os.getpid()), ("scoring", scoring)):
        place = Path(f"/proc/{process}")
        counts[f"{name} threads"] = len(list((place / "task").iterdir()))
        counts.update(f"{name} {kind}" for kind in _descriptors(place / "fd"))
    return counts


def assert_nothing_is_left(sidecar: RunningSidecar, before: Counter[str]) -> None:
    """No more is held than before, once what ends by itself has ended: gRPC's threads do after a while."""
    ends = time.monotonic() + 5
    while more := held(sidecar) - before:
        assert time.monotonic() < ends, f"more than before: {dict(more)}"
        time.sleep(0.1)


def _descriptors(folder: Path) -> Iterator[str]:
    for entry in folder.iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # closed since
            continue
        yield "sockets" if target.startswith("socket:") else "files"


async def _tasks() -> int:
    return len(asyncio.all_tasks())
