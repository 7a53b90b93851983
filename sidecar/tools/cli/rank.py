"""`pilotfish rank`: the same ranking offline, from a file, with no server."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pilotfish.v1 import ranking_pb2
from rich.console import Console

from sidecar.config import load_candidates
from sidecar.core.errors import InvalidError
from sidecar.core.files import replace_file
from sidecar.core.preference.preference import BY_ACCURACY
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.ranks import spearman
from sidecar.estimation.ranking.score import regret
from sidecar.inference.threads import threads_within
from sidecar.scoring.endpoint.scorer import EndpointScorer, Round
from sidecar.scoring.report import occasion
from sidecar.scoring.runners.opening import OpenModels
from sidecar.serving.control.discovery import with_discovered
from sidecar.tools.cli.options import Label, listed
from sidecar.tools.cli.ranking_table import ranking_document, ranking_table
from sidecar.tools.offline.predictions import rank_predictions, read_predictions
from sidecar.tools.offline.rows import answer_rows
from sidecar.tools.report import report_page
from sidecar.wire.rankings import Occasion, explanation_message, ranking_message


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A ranking, and the data that it was computed from.

    Attributes:
        made: the round.
        of: the data that the round ranked, and its time.
        votes: each compared candidate's class for each item [n], by name.
        compared: names of the candidates whose source has the features of the data.
        accuracies: true accuracies of the candidates that answered, by name; None without labels.
    """

    made: Round
    of: Occasion
    votes: dict[str, Array]
    compared: frozenset[str]
    accuracies: dict[str, float] | None


def rank(
    *,
    candidates: Path | None = None,
    data: Path | None = None,
    predictions: Path | None = None,
    features: str | None = None,
    labels: Label = None,
    segments: str | None = None,
    limit: int = 4096,
    report: Path | None = None,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Ranks candidates on the rows of a file, or by predictions that they made elsewhere.

    Args:
        candidates: Configuration file with one endpoint, or a file with only its `candidates`.
        data: File with the inputs, .npz, .parquet or .csv.
        predictions: Replaces the two options above: .npz with an array `NAME|predictions` [items, candidates]
            of classes and, if the candidates and classes have names, `models` and `classes`.
        features: Columns or arrays to use, comma-separated. The default is all but the labels. If there are
            several arrays of predictions, the array to use.
        labels: Column or array with the true classes. The output then says how good the ranking was.
        segments: Column or array of `data` with one value per row. The rows of each value get a ranking of
            their own.
        limit: Greatest number of rows to use, from the beginning of the file.
        report: HTML page to write, a single file that needs no network, with the ranking, the data that it
            came from, and its assumptions.
        format: table prints a table for people; json prints one JSON object.
    """
    if report is not None and not report.parent.is_dir():
        raise InvalidError(
            f"--report names a file in {report.parent}, but there is no such folder: make it first"
        )
    if predictions is None and candidates is not None and data is not None:
        outcome = _of_models(candidates, data, listed(features), labels, segments, limit)
    elif predictions is not None and candidates is None and data is None and segments is None:
        outcome = _of_predictions(predictions, features, labels, limit)
    else:
        raise InvalidError("give --candidates and --data, or --predictions alone; --segments needs --data")
    ranking = ranking_message(outcome.made.ranking, outcome.of)
    worth = _in_words(_score(ranking, outcome.accuracies)) if outcome.accuracies else ""
    if report is not None:
        page = report_page(
            outcome.made.ranking,
            endpoint=outcome.of.endpoint,
            incumbent=outcome.of.incumbent,
            made_at_s=outcome.of.made_at_s,
            votes=outcome.votes,
            compared=outcome.compared,
            accuracies=outcome.accuracies or {},
            worth=worth,
        )
        # A name may hold what UTF-8 cannot: half of a surrogate pair.
        replace_file(report, page.encode("utf-8", errors="replace"))
    if format == "json":
        explained = [explanation_message(one, outcome.of) for one in outcome.made.ranking.candidates]
        print(json.dumps(_as_json(ranking, explained, outcome.accuracies), indent=2))  # noqa: T201 - the output
        return
    console = Console()
    console.print(ranking_table(ranking, outcome.accuracies))
    if worth:
        console.print(worth, markup=False)
    if report is not None:
        console.print(f"wrote {report}", soft_wrap=True, markup=False, highlight=False)


def _of_models(
    candidates: Path,
    data: Path,
    features: tuple[str, ...],
    labels: str | None,
    segments: str | None,
    limit: int,
) -> _Outcome:
    endpoint = with_discovered(load_candidates(candidates))
    scorer, truth = answer_rows(
        endpoint,
        data,
        open_model=OpenModels(threads_within(math.inf)),
        features=features,
        label=labels,
        segments=segments,
        limit=limit,
    )
    names, evidence, _ = scorer.evidence()
    if truth is not None and names and not evidence.labels:
        raise InvalidError(
            f"--labels {labels}: the candidates give no classes that could be true; leave it out, and name "
            "the inputs' columns with --features"
        )
    accuracies = None if truth is None else _accuracies(scorer, truth)
    made = scorer.rank()
    scorer.close()
    votes = dict(zip(names, evidence.votes, strict=True)) if evidence.labels else {}
    compared = frozenset(
        name
        for name, target, limits in zip(names, evidence.targets, evidence.thresholds, strict=True)
        if target is not None and limits is not None and target.feature_counts.size
    )
    return _Outcome(made, occasion(endpoint, made, time.time()), votes, compared, accuracies)


def _of_predictions(path: Path, array: str | None, labels: str | None, limit: int) -> _Outcome:
    whole = read_predictions(path, predictions=array, label=labels)
    read = whole.take(np.arange(len(whole.answers))[:limit])
    start = time.monotonic()
    ranking = rank_predictions(read)
    made = Round(1, ranking, time.monotonic() - start)
    votes = dict(zip(read.names, read.answers.T, strict=True))
    accuracies = None
    if read.truth is not None:
        right = (read.answers == read.truth[:, None]).mean(axis=0)
        accuracies = dict(zip(read.names, right.tolist(), strict=True))
    of = Occasion(path.stem, "", made.number, time.time(), BY_ACCURACY)
    return _Outcome(made, of, votes, frozenset(), accuracies)


def _in_words(score: Mapping[str, Any]) -> str:
    return (
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
        classes = candidate.loaded.profile.classes if candidate.loaded else ()
        if candidate.loaded is None or not classes or not answered.any():
            continue
        chosen = candidate.loaded.answers.votes(ids[answered])
        names = [name if name in classes else classes[int(name)] for name in map(str, truth[answered])]
        accuracies[candidate.settings.name] = float(np.mean(np.array(classes)[chosen] == np.array(names)))
    return accuracies


def _score(ranking: ranking_pb2.Ranking, accuracies: dict[str, float]) -> dict[str, Any]:
    ranked = [one for one in ranking.candidates if one.HasField("accuracy") and one.name in accuracies]
    truth = np.array([accuracies[one.name] for one in ranked])
    estimates = np.array([one.accuracy.value for one in ranked])
    return {
        "top": ranked[0].name if ranked else None,
        "best": max(accuracies, key=lambda name: accuracies[name]),
        "regret": regret(truth, 0) if ranked else None,
        "spearman": spearman(estimates, truth),
    }


def _as_json(
    ranking: ranking_pb2.Ranking,
    explained: Sequence[ranking_pb2.ExplainCandidateResponse],
    accuracies: dict[str, float] | None,
) -> dict[str, Any]:
    document = ranking_document(ranking)
    for entry, explanation in zip(document["candidates"], explained, strict=True):
        entry["measures"] = {
            measure.name: measure.value.value for measure in explanation.measures if measure.HasField("value")
        }
        if accuracies:
            entry["true_accuracy"] = accuracies.get(entry["name"])
    if accuracies:
        document["score"] = _score(ranking, accuracies)
    return document
