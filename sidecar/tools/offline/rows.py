"""Lets candidates answer the rows of a file, as they would answer traffic."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sidecar.config.schema import Endpoint, Segments
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Batch
from sidecar.costs.candidate import Costs
from sidecar.inference.threads import threads_within
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.endpoint.segments import tensor_values
from sidecar.scoring.runners.model import OpenModel
from sidecar.tools.profiles.data import open_rows, read_column

# A model answers a request at once, and its runtime keeps the memory that took: 16 MB a candidate for 4,096
# rows of 1,000 classes.
_REQUEST_ROWS: Final = 256


def answer_rows(
    endpoint: Endpoint,
    data: Path,
    *,
    open_model: OpenModel,
    features: Sequence[str] = (),
    label: str | None = None,
    segments: str | None = None,
    limit: int,
) -> tuple[EndpointScorer, Array | None]:
    """Fills an endpoint's window from a file and lets every candidate answer it.

    Args:
        endpoint: its candidates; its window grows to `limit`.
        data: see `open_rows`.
        open_model: opens the candidates.
        features: columns to use; all but the label and the segments where empty.
        label: the column with the true class.
        segments: the column whose values name the rows' segments, in place of what the endpoint says.
        limit: rows to use, from the file's beginning.

    Returns:
        the endpoint, ready to be ranked, and the labels [rows] as `open_rows` reads them; None
        where no label column was named.

    Raises:
        InvalidError: no candidate can answer, or the rows do not fit.
    """
    changes: dict[str, object] = {
        "window": endpoint.window.model_copy(update={"items": limit, "bytes": 1 << 40})
    }
    values: list[str] = []
    if segments is not None:
        values = _names(data, segments, limit)
        most = {"max": endpoint.segments.max} if endpoint.segments else {}
        changes["segments"] = Segments(tensor=segments, **most)
    scorer = EndpointScorer(
        endpoint.model_copy(update=changes),
        open_model=open_model,
        costs=Costs(shadow_threads=threads_within(math.inf)),
        clock=time.monotonic,
    )
    scorer.load()
    model = next((one.loaded.model for one in scorer.candidates if one.loaded), None)
    if model is None:
        reasons = "; ".join(f"{one.settings.name}: {one.reason}" for one in scorer.candidates)
        raise InvalidError(f"no candidate can answer: {reasons}")
    truth: list[Array] = []
    aside = () if segments is None else (segments,)
    for inputs, names in open_rows(data, model.inputs, features=features, label=label, aside=aside):
        left = limit - len(scorer.window)
        _keep(scorer, {name: array[:left] for name, array in inputs.items()}, values)
        if names is not None:
            truth.append(names[:left])
        if len(scorer.window) == limit:
            break
    if values and len(values) != len(scorer.window):
        raise InvalidError(
            f"{data}: column {segments!r} has {len(values)} values for {len(scorer.window)} rows: "
            "give each row one"
        )
    scorer.catch_up()
    return scorer, np.concatenate(truth) if truth else None


def _keep(scorer: EndpointScorer, inputs: dict[str, Array], values: Sequence[str]) -> None:
    """Puts rows into the window in requests of a few; `values` are of all rows, those before these too."""
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, _REQUEST_ROWS):
        part = {name: array[start : start + _REQUEST_ROWS] for name, array in inputs.items()}
        batch, done = Batch(inputs=part, outputs={}), len(scorer.window)
        scorer.keep(batch, values[done : done + batch.items])


def _names(data: Path, column: str, limit: int) -> list[str]:
    """Reads what names the segment of each row."""
    array = read_column(data, column, limit)
    if array.size != len(array):
        raise InvalidError(
            f"{data}: column {column!r} has {array[0].size} values a row: one names a row's segment"
        )
    return tensor_values(array, len(array))
