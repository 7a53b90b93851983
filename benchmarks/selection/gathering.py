"""Gathers the windows of all files, several files side by side, and tells how far that is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.selection.cases import cases
from benchmarks.selection.window import Window, window
from benchmarks.selection.workloads import DIGITS, WORKLOADS, Workload, kind_of

_MINUTE: Final = 60.0

# A workload's name, a file and a seed.
Job: TypeAlias = tuple[str, Path, int]


def jobs_of(workloads: Sequence[Workload], data: Path | None, seeds: Sequence[int]) -> list[Job]:
    """Every file of every workload with every seed."""
    return [
        (workload.name, path, seed)
        for seed in seeds
        for workload in workloads
        for path, _ in workload.sources(data or Path())
    ]


def gather(
    jobs: Sequence[Job], data: Path | None, cache: Path, processes: int, console: Console
) -> list[Window]:
    """Does the jobs side by side; windows come in the order of the jobs."""
    found: dict[Job, list[Window]] = {}
    with _Told(len(jobs), console) as told, ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        under_way = {pool.submit(_work, job, data, cache): job for job in jobs}
        for done in as_completed(under_way):
            job = under_way[done]
            found[job] = done.result()
            told(f"{job[0]} {job[1].stem} seed {job[2]}")
    return [one for job in jobs for one in found[job]]


def _work(job: Job, data: Path | None, cache: Path) -> list[Window]:
    name, path, seed = job
    workload = next(one for one in (*WORKLOADS, DIGITS) if one.name == name)
    load = next(load for found, load in workload.sources(data or Path()) if found == path)
    return [
        window(case, kind_of(name, case.target, hard=case.evidence.hard), control=workload.control, seed=seed)
        for case in cases(workload, path, load, cache, seed=seed, said=lambda _: None)
    ]


class _Told:
    """Tells how far the jobs are: a bar on a terminal, a line a minute elsewhere."""

    def __init__(self, total: int, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=total)
        self._console, self._total, self._done = console, total, 0
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Callable[[str], None]:
        self._progress.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _tell(self, what: str) -> None:
        self._done += 1
        self._progress.update(self._task, advance=1, description=what)
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._last >= _MINUTE or self._done == self._total):
            self._last = now
            print(
                f"{now - self._start:.0f} s: {self._done} of {self._total} files, last {what}",
                file=sys.stderr,
                flush=True,
            )
