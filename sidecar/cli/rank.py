"""`pilotfish rank`: the same ranking offline, from a data file, with no server."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from google.protobuf import json_format
from pilotfish.internal.v1 import scoring_pb2
from rich.console import Console

from sidecar.cli.options import Label, listed
from sidecar.cli.table import ranking_table
from sidecar.config import load_candidates
from sidecar.domain.errors import InvalidError
from sidecar.domain.tensors import Array, Batch
from sidecar.profiles.data import open_rows
from sidecar.ranking.score import regret, spearman
from sidecar.scoring.endpoint import EndpointScorer
from sidecar.scoring.opening import OpenOnnx, threads_within
from sidecar.scoring.report import report


def rank(
    *,
    candidates: Path,
    data: Path,
    features: str | None = None,
    labels: Label = None,
    limit: int = 4096,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Ranks candidates on the rows of a file.

    Args:
        candidates: a configuration file with one endpoint, or a file with just its `candidates`.
        data: .npz, .parquet or .csv with the inputs.
        features: columns or arrays to use, comma-separated; default: all but the labels.
        labels: column or array with the true classes; adds how good the ranking was.
        limit: rows to use, from the file's beginning.
        format: how the ranking is printed.
    """
    endpoint = load_candidates(candidates)
    window = endpoint.window.model_copy(update={"items": limit, "bytes": 1 << 40})
    endpoint = endpoint.model_copy(update={"window": window})
    scorer = EndpointScorer(endpoint, open_model=OpenOnnx(threads_within(math.inf)), clock=time.monotonic)
    scorer.load()
    model = next((one.loaded.model for one in scorer.candidates if one.loaded), None)
    if model is None:
        reasons = "; ".join(f"{one.settings.name}: {one.reason}" for one in scorer.candidates)
        raise InvalidError(f"no candidate can answer: {reasons}")
    truth: list[Array] = []
    for inputs, names in open_rows(data, model.inputs, features=listed(features), label=labels):
        left = limit - len(scorer.window)
        scorer.window.append(Batch(inputs={name: array[:left] for name, array in inputs.items()}, outputs={}))
        if names is not None:
            truth.append(names[:left])
        if left <= len(next(iter(inputs.values()))):
            break
    made = None
    while made is None:
        made = scorer.round()
        while scorer.step():
            pass
    message = report(scorer, made, generation=0, made_at_s=time.time(), cpu_s=0.0, resident_bytes=0)
    accuracies = _accuracies(scorer, np.concatenate(truth)) if truth else None
    if format == "json":
        print(json.dumps(_as_json(message, accuracies), indent=2))  # noqa: T201 - the output
        return
    console = Console()
    console.print(ranking_table(message.ranking, accuracies))
    if accuracies:
        score = _score(message, accuracies)
        console.print(
            f"top pick {score['top'] or '-'}, best {score['best']}, regret {_ratio(score['regret'])}, "
            f"Spearman {_ratio(score['spearman'])}"
        )


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _accuracies(scorer: EndpointScorer, truth: Array) -> dict[str, float]:
    """The true accuracy of every candidate that answered, over the items it answered."""
    ids = np.arange(scorer.window.first_id, scorer.window.next_id)
    accuracies = {}
    for candidate in scorer.candidates:
        answered = candidate.answered(ids)
        if candidate.loaded is None or not answered.any():
            continue
        classes = candidate.loaded.profile.classes
        chosen = candidate.loaded.answers.of(ids[answered]).argmax(axis=1)
        names = [name if name in classes else classes[int(name)] for name in map(str, truth[answered])]
        accuracies[candidate.settings.name] = float(np.mean(np.array(classes)[chosen] == np.array(names)))
    return accuracies


def _score(message: scoring_pb2.Report, accuracies: dict[str, float]) -> dict[str, Any]:
    ranked = [
        one for one in message.ranking.candidates if one.HasField("accuracy") and one.name in accuracies
    ]
    truth = np.array([accuracies[one.name] for one in ranked])
    estimates = np.array([one.accuracy.value for one in ranked])
    return {
        "top": ranked[0].name if ranked else None,
        "best": max(accuracies, key=lambda name: accuracies[name]),
        "regret": regret(truth, 0) if ranked else None,
        "spearman": spearman(estimates, truth),
    }


def _as_json(message: scoring_pb2.Report, accuracies: dict[str, float] | None) -> dict[str, Any]:
    document: dict[str, Any] = json_format.MessageToDict(
        message.ranking, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    # protobuf's JSON writes 64-bit numbers as text.
    document |= {"items": message.ranking.items, "round": message.ranking.round}
    for entry, explanation in zip(document["candidates"], message.explanations, strict=True):
        entry["measures"] = {
            measure.name: measure.value.value for measure in explanation.measures if measure.HasField("value")
        }
        if accuracies:
            entry["true_accuracy"] = accuracies.get(entry["name"])
    if accuracies:
        document["score"] = _score(message, accuracies)
    return document
