"""The work of one process: it reads the files once, then judges one transfer after another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn

from benchmarks.performance_models.families import KINDS, Family, Kind, Metric, Transfer
from benchmarks.performance_models.judge import Score, judge
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.strategies import STRATEGIES

COUNTS = (5, 10, 20, 40, 80)
# The paper's other regressors take as long as everything else: they run where the paper's strategies are
# compared, with fewer seeds.
_SLOW = ("scratch_tree", "scratch_forest", "scratch_svr", "scratch_mlp")
_SLOW_SEEDS = 3
_SLOW_GROUP = "xception"


@dataclass(frozen=True, slots=True)
class Job:
    """One transfer with all its seeds."""

    kind: str
    metric: Metric
    transfer: Transfer


families: dict[str, Family] = {}
_sources: dict[tuple[str, str, str], Source] = {}
_seeds = 0


def files(kind: Kind, data: Path) -> list[Path]:
    """Returns the files of a kind that are there."""
    return sorted((data / "performance").glob(kind.pattern))


def load(data: Path, names: list[str], pairs: int, seeds: int) -> None:
    """Reads the files; each worker does so for itself."""
    global _seeds  # noqa: PLW0603 - what a worker process is started with
    _seeds = seeds
    # Some strategies predict a constant, and small networks do not converge: both show in the figures.
    warnings.simplefilter("ignore")
    # Half of a boosting fit on few rows is checking of its arguments.
    sklearn.set_config(skip_parameter_validation=True, assume_finite=True)
    for kind in KINDS:
        if kind.name in names:
            family = kind.read(files(kind, data), pairs, np.random.default_rng(0))
            families[family.name] = family


def run(job: Job) -> tuple[Job, dict[int, dict[str, list[Score]]]]:
    """Judges one transfer with every seed; scores by count and strategy."""
    family = families[job.kind]
    sources = [_source(job.kind, name, job.metric.name) for name in job.transfer.sources]
    slow = _SLOW if job.transfer.group == _SLOW_GROUP else ()
    usual = [name for name in STRATEGIES if name not in _SLOW]
    target = family.tables[job.transfer.target]
    found: dict[int, dict[str, list[Score]]] = {}
    for seed in range(_seeds):
        names = [*usual, *slow] if seed < _SLOW_SEEDS else usual
        for count, scores in judge(sources, target, job.metric.name, names, COUNTS, seed).items():
            for name, score in scores.items():
                found.setdefault(count, {}).setdefault(name, []).append(score)
    return job, found


def _source(family: str, environment: str, metric: str) -> Source:
    key = (family, environment, metric)
    if key not in _sources:
        _sources[key] = Source.learn(families[family].tables[environment], metric)
    return _sources[key]
