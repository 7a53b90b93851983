"""benchmarks.memory against what the kernel says of this process and of one that shares a file with it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.memory import memory, together_bytes

MIB = 1 << 20
SIZE = 16 * MIB
# The figures are read one after the other, and reading them takes memory.
NEAR = 2 * MIB


def hold(path: Path, ready: Connection) -> None:
    """Has every page of a file in memory, and as much of its own, until it is told to end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        own = bytearray(os.urandom(SIZE))
        ready.send(sum(pages[:: mmap.PAGESIZE]) + len(own))
        ready.recv()


@contextmanager
def held(path: Path, number: int) -> Iterator[list[int]]:
    """Process ids of so many that have the file, and nothing else that is large."""
    path.write_bytes(os.urandom(SIZE))
    spawn = get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(number)]
    processes = [spawn.Process(target=hold, args=(path, theirs)) for _, theirs in pipes]
    for process in processes:
        process.start()
    for ours, _ in pipes:
        ours.recv()
    yield [process.pid or 0 for process in processes]
    for (ours, _), process in zip(pipes, processes, strict=True):
        ours.send(None)
        process.join()


def test_alone_each_page_once_is_all_pages(tmp_path: Path) -> None:
    with held(tmp_path / "file", 1) as ids:
        assert abs(together_bytes(ids) - memory(ids[0]).resident) < NEAR


def test_a_file_that_two_processes_have_counts_once(tmp_path: Path) -> None:
    with held(tmp_path / "file", 2) as ids:
        each, together = [memory(one) for one in ids], together_bytes(ids)
        resident = sum(one.resident for one in each)
        own = sum(one.own for one in each)
        assert own >= 2 * SIZE
        # The file, and what libraries the two share.
        assert own + SIZE <= together <= resident - SIZE
        assert all(one.own <= one.proportional <= one.resident for one in each)
