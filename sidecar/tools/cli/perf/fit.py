"""`pilotfish perf fit`: from tables of measurements to a file with a model of each metric."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.fit import fit as fit_model
from sidecar.estimation.performance.model import PerformanceModel
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.strategies import CHOOSER
from sidecar.estimation.performance.table import BOUNDS, PerformanceTable
from sidecar.formats.performance_model import write_models
from sidecar.tools.records.performance_table import read_tables


@dataclass(frozen=True, slots=True)
class _Fits:
    """The outcome for each metric.

    Attributes:
        models: fitted models, by metric.
        left_out: the reason why a metric has no model, by metric.
    """

    models: dict[str, PerformanceModel]
    left_out: dict[str, str]


def fit(
    *,
    target: Path,
    out: Path,
    source: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    strategy: str = CHOOSER,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Fits a model of each metric to measurements made here, with the help of measurements made elsewhere.

    Needs the extra `perf`.

    Args:
        target: Table of the environment to predict, from `pilotfish perf measure`. A few rows are enough.
        out: File to write the models to, M.safetensors.
        source: Table of other environments over the same options. May be given several times.
        strategy: `chooser` combines the strategies that predict left-out measurements best; any other value
            names one strategy.
        format: table prints the findings for people; json prints one JSON object.
    """
    if not out.parent.is_dir():
        raise InvalidError(f"--out names a file in {out.parent}, but there is no such folder: make it first")
    tables = read_tables(target)
    if len(tables) != 1:
        raise InvalidError(f"--target: {target} holds {len(tables)} environments; give the rows of one")
    sources = [table for path in source for table in read_tables(path)]
    fits = _fitted(tables[0], sources, strategy)
    write_models(fits.models, out)
    if format == "json":
        sys.stdout.write(json.dumps(_document(fits, out)) + "\n")
    else:
        _show(fits, out)


def _fitted(target: PerformanceTable, sources: Sequence[PerformanceTable], strategy: str) -> _Fits:
    metrics = [name for name in target.metrics if not name.endswith(BOUNDS)]
    models: dict[str, PerformanceModel] = {}
    left_out: dict[str, str] = {}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("metrics", total=len(metrics))
        for metric in metrics:
            try:
                learned = [Source.learn(table, metric) for table in sources if metric in table.metrics]
                models[metric] = fit_model(learned, target, metric, strategy=strategy)
            except InvalidError as error:
                left_out[metric] = str(error)
            progress.advance(task)
    if not models:
        raise InvalidError(f"no metric can be fitted: {next(iter(left_out.values()))}")
    return _Fits(models, left_out)


def _held_out_error(model: PerformanceModel) -> float | None:
    """Mean relative error on measured rows, each predicted without itself; None without rows."""
    mean, _ = model.fitted.held_out
    return float(np.mean(np.abs(np.expm1(mean - model.task.values)))) if len(mean) else None


def _show(fits: _Fits, out: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("metric", box=None)
    for name in ("sources", "measured", "held-out error"):
        table.add_column(name, justify="right")
    table.add_column("follows")
    for metric, model in fits.models.items():
        error = _held_out_error(model)
        table.add_row(
            metric,
            str(len(model.sources)),
            str(len(model.task.values)),
            "-" if error is None else f"{error:.1%}",
            _followed(model.weights),
        )
    console.print(table)
    for metric, why in fits.left_out.items():
        console.print(f"no model of {metric}: {why}", markup=False)
    console.print(f"wrote {out}: {', '.join(fits.models)}", markup=False)


def _followed(weights: Mapping[str, float]) -> str:
    ordered = sorted(weights.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {weight:.0%}" for name, weight in ordered)


def _document(fits: _Fits, out: Path) -> dict[str, object]:
    return {
        "models": str(out),
        "metrics": {
            metric: {
                "sources": len(model.sources),
                "measured": len(model.task.values),
                "held_out_error": _held_out_error(model),
                "weights": dict(model.weights),
            }
            for metric, model in fits.models.items()
        },
        "left_out": fits.left_out,
    }
