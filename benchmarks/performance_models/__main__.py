"""How well are costs predicted from measurements made elsewhere? Judged on public tables.

Run it with `python -m benchmarks.performance_models --data DIR --out FILE.json`. For every transfer
(source environments, target, metric) and seed, some rows of the target are measurements and others are
held out; figures are of held-out rows only. Files that are not in DIR/performance are skipped. It exits 1
when a bar is missed.
"""

from __future__ import annotations

import os

# One process per core: threads would only get into each other's way.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.performance_models.families import KINDS
from benchmarks.performance_models.judge import Score, median_figures
from benchmarks.performance_models.report import Results, bars, print_tables
from benchmarks.performance_models.speed import speed
from benchmarks.performance_models.work import Job, families, files, load, run


def main() -> int:
    """Runs all transfers, writes the figures, prints the tables; returns the exit code."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with performance/*.parquet")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--table", nargs="+", choices=[kind.name for kind in KINDS], help="only these")
    parser.add_argument("--pairs", type=int, default=30, help="transfers drawn from a table, at most")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()

    console = Console(stderr=True)
    kinds = [kind for kind in KINDS if options.table is None or kind.name in options.table]
    present = []
    for kind in kinds:
        if files(kind, options.data):
            present.append(kind.name)
        else:
            console.print(f"{kind.name}: skipped, there is no performance/{kind.pattern} in --data")
    load(options.data, present, options.pairs, options.seeds)
    jobs = list(_jobs())
    results: Results = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    context = multiprocessing.get_context("spawn")
    arguments = (options.data, present, options.pairs, options.seeds)
    with (
        ProcessPoolExecutor(options.processes, context, load, arguments) as workers,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("transfers", total=len(jobs))
        for done in as_completed([workers.submit(run, job) for job in jobs]):
            job, scores = done.result()
            progress.advance(task)
            groups = [job.kind] + ([f"{job.kind}_{job.transfer.group}"] if job.transfer.group else [])
            pair = f"{', '.join(job.transfer.sources)} -> {job.transfer.target}"
            for group in groups:
                results.setdefault(group, {}).setdefault(job.metric.column, {})[pair] = scores
    tables = {
        name: {"metric": {metric: _figures(pairs) for metric, pairs in sorted(metrics.items())}}
        for name, metrics in sorted(results.items())
    }
    print_tables(tables, {name: family.note for name, family in families.items()}, Console(width=250))
    reached = [*bars(results), *speed()]
    for bar in reached:
        print(f"{'met   ' if bar.met else 'MISSED'} {bar.name}: {bar.figure}")
    took = time.monotonic() - start
    print(f"{took / 60:.1f} minutes, {options.processes} processes, {options.seeds} seeds")
    if options.out:
        content: dict[str, Any] = {
            "tables": tables,
            "bars": [{"name": bar.name, "figure": bar.figure, "met": bar.met} for bar in reached],
            "notes": {name: family.note for name, family in families.items()},
            "seeds": options.seeds,
            "minutes": took / 60,
            "python": platform.python_version(),
            "packages": {name: version(name) for name in ("numpy", "scikit-learn", "scipy")},
        }
        options.out.write_text(json.dumps(content, indent=1))
    return 0 if all(bar.met for bar in reached) else 1


def _jobs() -> Iterator[Job]:
    for name, family in families.items():
        for metric in family.metrics:
            for transfer in family.transfers:
                yield Job(name, metric, transfer)


def _figures(pairs: dict[str, dict[int, dict[str, list[Score]]]]) -> dict[str, Any]:
    counts = sorted({count for scores in pairs.values() for count in scores})
    by_count = {}
    for count in counts:
        names = dict.fromkeys(name for scores in pairs.values() for name in scores.get(count, {}))
        by_count[str(count)] = {
            name: median_figures(
                [scores[count][name] for scores in pairs.values() if name in scores.get(count, {})]
            )
            for name in names
        }
    return {"pairs": len(pairs), "n": by_count}


if __name__ == "__main__":
    sys.exit(main())
