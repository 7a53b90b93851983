"""`pilotfish frontier`: which of a table's models are worth having, under several objectives at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from cyclopts import Parameter

from sidecar.core.errors import InvalidError
from sidecar.core.files import replace_file
from sidecar.core.preference.constraints import PROBABILITY
from sidecar.tools.cli.frontier.asked import asked, draw
from sidecar.tools.cli.frontier.findings import find
from sidecar.tools.cli.frontier.plot import plot_svg
from sidecar.tools.cli.frontier.show import document, show
from sidecar.tools.cli.options import listed
from sidecar.tools.records.candidates import read_candidates

_LEVEL: Final = 0.9
# Numbers drawn at most: 400 MB.
_MOST_NUMBERS: Final = 50_000_000


def frontier(
    *,
    table: Path,
    objectives: str,
    name: str | None = None,
    uncertainty: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    constraint: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    probability: float = PROBABILITY,
    weights: str | None = None,
    reference: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    top: int = 20,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
    plot: Path | None = None,
) -> int:
    """Finds the frontier of a table of models, the efficiency of each model, and the model to prefer.

    Without --uncertainty all numbers are exact. A model that breaks a constraint is left out. Needs the extra
    `frontier`.

    Args:
        table: .csv or .parquet file with a row for each model.
        objectives: Columns with their directions, the most important first, like top1:max,param_count:min.
        name: Column with the models' names, or several columns that make a name together, comma-separated.
            The default is `model`, or the first column of text.
        uncertainty: COLUMN=NUMBER, a standard deviation; COLUMN=2%, a standard deviation relative to the
            value; or COLUMN=OTHER, a column of standard deviations. Give several comma-separated, or repeat
            the option.
        constraint: Constraint on any column, like "param_count <= 50". May be given several times.
        probability: Probability with which a model must keep each constraint.
        weights: COLUMN=NUMBER,... The default is 1 for the first objective and 0.07 for every other: twice as
            much of another objective is worth 5 % of the first.
        reference: COLUMN=NUMBER,... the worst value of each objective that counts. Adds the hypervolume
            between the reference and the frontier and, in JSON, the contribution of each model.
        draws: Number of random draws of the uncertain values.
        seed: Random seed of the draws.
        top: Number of models that the table shows.
        format: table prints a table for people; json prints one JSON object with all models.
        plot: .svg file to draw the first two objectives in.
    """
    wanted = asked(objectives, uncertainty, constraint, probability, weights, reference)
    read = read_candidates(table, wanted.columns, listed(name))
    # Without uncertainty one draw tells all.
    draws = draws if wanted.uncertainties else 1
    if draws < 1 or draws * len(read.names) * len(wanted.measured) > _MOST_NUMBERS:
        raise InvalidError(
            f"--draws is {draws}: for {len(read.names)} models give a number between 1 and "
            f"{_MOST_NUMBERS // (len(read.names) * len(wanted.measured))}"
        )
    if plot is not None and len(wanted.directions) == 1:
        raise InvalidError("--plot draws two objectives: name a second objective with --objectives")
    values = np.stack([read.numbers[column] for column in wanted.measured], axis=1)
    drawn = draw(read, wanted, draws, np.random.default_rng(seed))
    found = find(read.names, values, drawn, wanted, _LEVEL)
    if format == "json":
        sys.stdout.write(json.dumps(document(found, wanted, draws=draws, seed=seed)) + "\n")
    else:
        show(found, wanted, top)
    if plot is not None and found.ranked:
        replace_file(plot, plot_svg(found, wanted, drawn))
    return 0 if found.ranked else 1
