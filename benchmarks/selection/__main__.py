"""Does the top-ranked candidate serve the traffic best, and is an OK kept? Judged on sources left out.

Run it with `python -m benchmarks.selection --data DIR --out FILE.json`; without `--data` it runs on
scikit-learn's digits. Every file is a source. What is learned (how estimates err, when a ranking may say OK)
is learned on all other files and judged on this one; `--constants release` judges with what ships instead.
Profiles and answers come from what is behind `pilotfish profile build` and `pilotfish rank`. Labels of a
target are read here alone, after its signals were made. It exits 1 when a bar is missed.
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
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks.selection.gathering import gather, jobs_of
from benchmarks.selection.judge import Verdict, judge
from benchmarks.selection.learning import known, learn
from benchmarks.selection.release import write
from benchmarks.selection.report import tables
from benchmarks.selection.summary import bars, by_kind, by_workload, target_figures
from benchmarks.selection.window import Window
from benchmarks.selection.workloads import DIGITS, WORKLOADS
from sidecar.core.errors import InvalidError
from sidecar.estimation.accuracy.learned import Learned
from sidecar.estimation.accuracy.release import RELEASE

_PACKAGES = ("pilotfish", "numpy", "onnxruntime", "scikit-learn", "scipy", "skl2onnx")
# With fewer sources left, what the release ships stands for them.
_MIN_SOURCES = 3


def main() -> int:
    """Runs the workloads, writes the figures, prints the tables; returns the exit code."""
    start = time.monotonic()
    known_names = {workload.name: workload for workload in (*WORKLOADS, DIGITS)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the workloads' files; without it: digits")
    parser.add_argument(
        "--workload", nargs="+", choices=known_names, action="extend", help="only these workloads"
    )
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument(
        "--cache", type=Path, default=_default_cache(), help="folder that keeps what was made"
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="of all draws and trainings")
    parser.add_argument(
        "--constants",
        choices=("learned", "release"),
        default="learned",
        help="judge with what was learned on the other files, or with what the release ships",
    )
    parser.add_argument("--learn", action="store_true", help="write what was learned on all files to ship it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    names = options.workload or [one.name for one in (WORKLOADS if options.data else (DIGITS,))]
    console = Console(stderr=True)
    jobs = jobs_of([known_names[name] for name in names], options.data, options.seed)
    try:
        windows = gather(jobs, options.data, options.cache, options.jobs, console)
    except InvalidError as error:
        print(error, file=sys.stderr)
        return 2
    verdicts, learned = _judged(windows, release=options.constants == "release")
    kinds, reached = by_kind(verdicts), bars(verdicts)
    seconds = time.monotonic() - start
    if options.out:
        document = {
            "workloads": by_workload(verdicts),
            "kinds": kinds,
            "seeds": options.seed,
            "constants": options.constants,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
            "seconds": seconds,
            "summary": [asdict(bar) for bar in reached],
            "learned": {name: asdict(one) for name, one in learned.items()},
            "segments": {one.window.target: one.window.segments for one in verdicts if one.window.segments},
            "targets": [target_figures(one) for one in verdicts],
        }
        options.out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    if options.learn:
        sources = sorted({one.window.source for one in verdicts if not one.window.control})
        day = datetime.now(UTC).date()
        whole = learn(known(windows))
        write(whole, day=day, sources=sources, seeds=options.seed, figures=kinds["all"])
    Console(width=200).print(tables(kinds, reached), f"{seconds:.0f} s", sep="\n")
    return int(any(bar.met is False for bar in reached))


def _judged(windows: Sequence[Window], *, release: bool) -> tuple[list[Verdict], dict[str, Learned]]:
    """Judges each source by what was learned on all others."""
    sources = sorted({one.source for one in windows})
    learned: dict[str, Learned] = {}
    for source in sources:
        others = known([one for one in windows if one.source != source])
        enough = len({one.source for one in others}) >= _MIN_SOURCES
        learned[source] = RELEASE if release or not enough else learn(others)
    return [judge(one, learned[one.source]) for one in windows], learned


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pilotfish" / "selection"


if __name__ == "__main__":
    sys.exit(main())
