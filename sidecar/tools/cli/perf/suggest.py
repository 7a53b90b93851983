"""`pilotfish perf suggest`: what to measure next, or what to run under constraints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from sidecar.core.errors import InvalidError
from sidecar.estimation.performance.model import PerformanceModel
from sidecar.estimation.performance.suggest import cheapest, next_to_measure
from sidecar.formats.performance_model import read_models
from sidecar.tools.cli.perf.configurations import in_short, in_words, pairs


def suggest(
    *,
    model: Path,
    metric: str | None = None,
    count: int = 5,
    minimise: str | None = None,
    at_most: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    seed: int = 0,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> int:
    """Lists the configurations most worth measuring next; with --minimise, finds the configuration to run.

    Args:
        model: File of models that `pilotfish perf fit` wrote.
        metric: Metric whose uncertainty is to shrink. The default is the first metric of the file.
        count: Number of configurations to list.
        minimise: Metric that is the cost. The configuration with the least predicted cost is printed.
        at_most: METRIC=NUMBER, a limit that the configuration keeps with 90 % certainty. May be given several
            times.
        seed: Random seed for the choice of configurations to look at, where the space is large.
        format: table prints a table for people; json prints one JSON object.
    """
    models = read_models(model)
    rng = np.random.default_rng(seed)
    if minimise is not None:
        return _run(models, minimise, _limits(at_most), rng, format)
    if at_most:
        raise InvalidError(
            "--at-most limits what --minimise finds: add --minimise METRIC, or leave --at-most out"
        )
    chosen = chosen_model(models, metric)
    codes = next_to_measure(chosen, count, rng)
    found = chosen.predict(codes)
    if format == "json":
        rows = [
            {"configuration": chosen.space.configuration(row), "value": value, "low": low, "high": high}
            for row, value, low, high in zip(
                codes, found.value.tolist(), found.low.tolist(), found.high.tolist(), strict=True
            )
        ]
        sys.stdout.write(json.dumps({"metric": chosen.metric, "next": rows}) + "\n")
        return 0
    table = Table("next to measure", chosen.metric, "90 % interval", box=None)
    for row, value, low, high in zip(codes, found.value, found.low, found.high, strict=True):
        table.add_row(in_short(chosen.space, row), f"{value:.4g}", f"{low:.4g} .. {high:.4g}")
    Console(highlight=False).print(table if len(codes) else "every configuration is measured")
    return 0


def chosen_model(models: Mapping[str, PerformanceModel], metric: str | None) -> PerformanceModel:
    """Returns the model of a metric, or the first model if no metric is named.

    Raises:
        InvalidError: the metric has no model.
    """
    name = metric or next(iter(models))
    if name not in models:
        raise InvalidError(f"--metric: there is no model of {name!r}; there is {', '.join(models)}")
    return models[name]


def _run(
    models: Mapping[str, PerformanceModel],
    minimise: str,
    limits: Mapping[str, float],
    rng: np.random.Generator,
    form: Literal["table", "json"],
) -> int:
    choice = cheapest(models, minimise, limits, rng)
    if isinstance(choice, str):
        _say(form, choice, {"reason": choice})
        return 1
    metrics = {
        name: {"value": one.value, "low": one.low, "high": one.high} for name, one in choice.metrics.items()
    }
    lines = [in_words(choice.configuration)] + [
        f"  {name} {one.value:.4g}, 90 % interval {one.low:.4g} .. {one.high:.4g}"
        for name, one in choice.metrics.items()
    ]
    _say(form, "\n".join(lines), {"configuration": choice.configuration, "metrics": metrics})
    return 0


def _say(form: Literal["table", "json"], text: str, document: Mapping[str, object]) -> None:
    sys.stdout.write((json.dumps(document) if form == "json" else text) + "\n")


def _limits(words: tuple[str, ...]) -> dict[str, float]:
    limits = {}
    for name, value in pairs(words, "--at-most").items():
        try:
            limits[name] = float(value)
        except ValueError:
            raise InvalidError(f"--at-most {name}={value}: write a number, in the metric's unit") from None
    return limits
