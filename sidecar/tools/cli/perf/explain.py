"""`pilotfish perf explain`: which options move a metric, here and where it was measured before."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from sidecar.estimation.performance.explain import explain as explain_model
from sidecar.formats.performance_model import read_models
from sidecar.tools.cli.perf.configurations import in_words
from sidecar.tools.cli.perf.suggest import chosen_model

_SHOWN: Final = 15
# A smaller share rounds to nothing.
_LEAST: Final = 0.001


def explain(
    *,
    model: Path,
    metric: str | None = None,
    seed: int = 0,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists options and pairs of options by the share of a metric's variation that they cause.

    Args:
        model: File of models that `pilotfish perf fit` wrote.
        metric: Metric to explain. The default is the first metric of the file.
        seed: Random seed for the choice of configurations to look at, where the space is large.
        format: table prints a table for people; json prints one JSON object.
    """
    chosen = chosen_model(read_models(model), metric)
    influences = explain_model(chosen, np.random.default_rng(seed))
    places = [in_words(source.environment) for source in chosen.sources]
    if format == "json":
        document = {
            "metric": chosen.metric,
            "weights": dict(chosen.weights),
            "sources": [dict(source.environment) for source in chosen.sources],
            "influences": [
                {"options": one.options, "target": one.target, "sources": one.sources} for one in influences
            ],
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return
    table = Table(chosen.metric, box=None)
    table.add_column("here", justify="right")
    for number in range(1, len(places) + 1):
        table.add_column(f"source {number}", justify="right")
    for one in [one for one in influences if max(one.target, *one.sources, 0.0) >= _LEAST][:_SHOWN]:
        table.add_row(" x ".join(one.options), *(f"{share:.1%}" for share in (one.target, *one.sources)))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for number, place in enumerate(places, start=1):
        console.print(f"source {number}: {place}", markup=False)
