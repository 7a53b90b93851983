"""`pilotfish perf predict`: what a configuration costs, from fitted models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from sidecar.formats.performance_model import read_models
from sidecar.tools.cli.perf.configurations import in_words, pairs


def predict(
    *,
    model: Path,
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),  # noqa: A002 - the option's name
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Predicts every metric in one configuration, with 90 % intervals.

    Args:
        model: File of models that `pilotfish perf fit` wrote.
        set: NAME=VALUE, the value of an option that is not at its default. May be given several times.
        format: table prints a table for people; json prints one JSON object.
    """
    models = read_models(model)
    space = next(iter(models.values())).space
    codes = space.code(pairs(set, "--set"))
    configuration = space.configuration(codes)
    found = {metric: one.predict(codes[None]) for metric, one in models.items()}
    if format == "json":
        objectives = {
            metric: {"value": float(one.value[0]), "low": float(one.low[0]), "high": float(one.high[0])}
            for metric, one in found.items()
        }
        document = {"configuration": configuration, "level": 0.9, "metrics": objectives}
        sys.stdout.write(json.dumps(document) + "\n")
        return
    table = Table("metric", box=None)
    for name in ("predicted", "90 % interval"):
        table.add_column(name, justify="right")
    for metric, one in found.items():
        table.add_row(metric, f"{one.value[0]:.4g}", f"{one.low[0]:.4g} .. {one.high[0]:.4g}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(in_words(configuration), markup=False)
    console.print(table)
