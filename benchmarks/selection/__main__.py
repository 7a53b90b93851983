"""Does the top-ranked candidate serve the traffic best? Judged on real domains, with every measure beside it.

Run it with `python -m benchmarks.selection --data DIR --out FILE.json`; without `--data` it runs on
scikit-learn's digits. Every domain trains its own models; for each domain the models of all the others
are candidates, and up to 2,000 of its items are the traffic. Profiles and rankings come from what is
behind `pilotfish profile build` and `pilotfish rank`. Labels of a target are read here alone, after its
ranking was made. It exits 1 when a bar is missed.
"""

from __future__ import annotations

import os

# Small models on few rows: threads would only get into each other's way.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.selection.case import Case
from benchmarks.selection.cases import cases
from benchmarks.selection.judge import Verdict, judge
from benchmarks.selection.learning import Windows, learn, windows
from benchmarks.selection.report import tables
from benchmarks.selection.summary import bars, target_figures, undefined, workload_figures
from benchmarks.selection.workloads import DIGITS, WORKLOADS, Workload
from sidecar.core.errors import InvalidError

_PACKAGES = ("pilotfish", "numpy", "onnxruntime", "scikit-learn", "scipy", "skl2onnx")


def main() -> int:
    """Runs the workloads, writes the figures, prints the tables; returns the exit code."""
    start = time.monotonic()
    known = {workload.name: workload for workload in (*WORKLOADS, DIGITS)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the workloads' files; without it: digits")
    parser.add_argument("--workload", nargs="+", choices=known, action="extend", help="only these")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument(
        "--cache", type=Path, default=_default_cache(), help="folder that keeps what was made"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.workload or [one.name for one in (WORKLOADS if options.data else (DIGITS,))]

    console = Console(stderr=True)
    chosen, absent = _present([known[name] for name in names], options.data)
    for workload in absent:
        console.print(f"{workload.name}: skipped, there is no {workload.file} in --data")
    found: dict[str, list[Windows]] = {}
    verdicts: dict[str, list[Verdict]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=2 * len(chosen))

        def made(workload: Workload) -> Iterator[Case]:
            return cases(
                workload,
                options.data or Path(),
                options.cache,
                seed=options.seed,
                said=lambda text: progress.update(task, description=text),
            )

        # Twice, from the cache: all targets at once would take gigabytes.
        try:
            for workload in chosen:
                found[workload.name] = windows(made(workload))
                progress.advance(task)
            learned = learn(found, frozenset(one.name for one in known.values() if one.control))
            for workload in chosen:
                judged = [judge(case, learned[workload.name]) for case in made(workload)]
                if judged:
                    verdicts[workload.name] = judged
                else:
                    console.print(f"{workload.name}: skipped, no domain has candidates")
                progress.advance(task)
        except InvalidError as error:
            print(f"{workload.name}: {error}", file=sys.stderr)
            return 2

    figures = {name: workload_figures(judged) for name, judged in verdicts.items()}
    targets = [verdict for judged in verdicts.values() for verdict in judged]
    reached = bars(figures, targets)
    seconds = time.monotonic() - start
    if options.out:
        document = {
            "workloads": figures,
            "seed": options.seed,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
            "seconds": seconds,
            "summary": [asdict(bar) for bar in reached],
            "learned": {name or "shipped": asdict(one) for name, one in learned.items()},
            "undefined": {name: undefined(judged) for name, judged in verdicts.items()},
            "segments": {verdict.target: verdict.segments for verdict in targets if verdict.segments},
            "targets": [target_figures(verdict) for verdict in targets],
        }
        options.out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    Console().print(tables(figures, reached), f"{seconds:.0f} s", sep="\n")
    return int(any(bar.met is False for bar in reached))


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pilotfish" / "selection"


def _present(workloads: list[Workload], data: Path | None) -> tuple[list[Workload], list[Workload]]:
    """Those that need no file or have it, and the others."""
    there = [one for one in workloads if not one.file or (data is not None and (data / one.file).exists())]
    return there, [one for one in workloads if one not in there]


if __name__ == "__main__":
    sys.exit(main())
