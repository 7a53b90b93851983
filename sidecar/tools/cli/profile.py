"""`pilotfish profile`: builds source profiles and shows what is in them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cyclopts import App
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sidecar.core.errors import InvalidError
from sidecar.core.features import WORD_BUCKETS
from sidecar.core.profile import PARTITION_ROWS, SourceProfile
from sidecar.formats.profile import FORMAT_VERSION, read_profile, write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.tools.cli.options import Flag, Label, listed
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import Rows, open_rows

_SHOWN = 20

app = App(name="profile", help="Builds and shows source profiles: statistics of a model's training data.")


@app.command
def build(
    *,
    model: Path,
    data: Path,
    out: Path,
    validation: Path | None = None,
    features: str | None = None,
    label: Label = None,
    classes: str | None = None,
    output: str | None = None,
    no_classes: Flag = False,
    partition_rows: int = PARTITION_ROWS,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Builds a model's source profile from its training data. The profile holds statistics only, no rows.

    Args:
        model: ONNX file of the model.
        data: File with the training rows, .npz, .parquet or .csv.
        out: Profile to write, P.safetensors.
        validation: File with labelled rows that the model was not trained on.
        features: Columns or arrays to use, comma-separated. The default is all but the label.
        label: Column or array with the true class, as name or index.
        classes: Class names in the order of the model's output, comma-separated. The default is the sorted
            labels.
        output: Output of the model with class probabilities or logits.
        no_classes: The model has no classes, like a regressor, an embedder or a detector. Pilotfish then
            ranks it by its inputs only.
        partition_rows: Rows in a partition, fewer than the live window holds.
        seed: Random seed.
        threads: Number of threads that the model may use.
    """
    if not out.parent.is_dir():
        raise InvalidError(f"--out names a file in {out.parent}, but there is no such folder: make it first")
    told = {"--output": output, "--label": label, "--classes": classes, "--validation": validation}
    if no_classes and any(told.values()):
        named = ", ".join(option for option, value in told.items() if value)
        raise InvalidError(
            f"--no-classes profiles only the inputs: leave {named} out, and if the data has more columns "
            "than the inputs, name the inputs' columns with --features"
        )
    opened = OnnxModel(model, threads=threads)
    wanted = listed(features)
    train = open_rows(data, opened.inputs, features=wanted, label=label)
    labelled = (
        None if validation is None else open_rows(validation, opened.inputs, features=wanted, label=label)
    )
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=_rows_to_read(train, labelled))
        profile = build_profile(
            opened,
            train,
            labelled,
            output="" if no_classes else class_output(opened, output),
            classes=listed(classes) or None,
            partition_rows=partition_rows,
            seed=seed,
            progress=lambda rows: progress.advance(task, rows),
        )
    write_profile(profile, out)
    Console().print(f"wrote {out}: {_in_short(profile)}", soft_wrap=True, markup=False, highlight=False)


@app.command
def show(path: Path, *, format: Literal["table", "json"] = "table") -> None:  # noqa: A002 - the option's name
    """Prints the contents of a profile.

    Args:
        path: Profile to print.
        format: table prints tables for people; json prints one JSON object.
    """
    profile = read_profile(path)
    if format == "json":
        sys.stdout.write(json.dumps(_content(profile, path.stat().st_size)) + "\n")
        return
    tables = [_facts(profile, path)]
    if profile.classes:
        tables.append(_class_table(profile))
    if profile.words:
        tables.append(_word_table(profile))
    if _numeric(profile):
        tables.append(_feature_table(profile))
    Console(highlight=False).print(*tables, sep="\n", markup=False)


def _rows_to_read(train: Rows, validation: Rows | None) -> int | None:
    totals = [train.total, train.total, 0 if validation is None else validation.total]
    known = [total for total in totals if total is not None]
    return sum(known) if len(known) == len(totals) else None


def _in_short(profile: SourceProfile) -> str:
    numeric = len(_numeric(profile))
    parts = [
        f"{profile.rows} rows",
        f"{len(profile.reference)} partitions of {profile.partition_rows}",
        *([f"{numeric} features"] if numeric else []),
        *([f"{len(profile.words)} words"] if numeric < len(profile.low) else []),
        f"{len(profile.classes) or 'no'} classes",
        "no validation"
        if profile.validation is None
        else f"validation accuracy {profile.validation.accuracy:.4f} on {profile.validation.rows} rows",
    ]
    return ", ".join(parts)


def _content(profile: SourceProfile, size_bytes: int) -> dict[str, Any]:
    validation = profile.validation
    names = profile.feature_names or tuple(map(str, range(len(profile.low))))
    statistics = (profile.low, profile.high, profile.mean, profile.variance)
    return {
        "format_version": FORMAT_VERSION,
        "size_bytes": size_bytes,
        "model_sha256": profile.model_sha256,
        "inputs": [asdict(spec) for spec in profile.inputs],
        "output": profile.output,
        "output_kind": profile.output_kind,
        "rows": profile.rows,
        "partition_rows": profile.partition_rows,
        "partitions": len(profile.reference),
        "classes": list(profile.classes),
        "class_prior": profile.class_prior.tolist(),
        "features": [
            dict(zip(("name", "low", "high", "mean", "variance"), values, strict=True))
            for values in zip(names, *(array.tolist() for array in statistics), strict=True)
        ],
        "words": dict(zip(profile.words, profile.word_counts.sum(axis=0).tolist(), strict=True)),
        "validation": None
        if validation is None
        else {
            "rows": validation.rows,
            "accuracy": validation.accuracy,
            "confusion": validation.confusion.tolist(),
            "confidence_quantiles": validation.confidence_quantiles.tolist(),
            "calibration": validation.calibration.tolist(),
        },
        "built_with": profile.built_with,
    }


def _facts(profile: SourceProfile, path: Path) -> Table:
    table = Table(box=None, show_header=False)
    inputs = ", ".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in profile.inputs)
    versions = ", ".join(f"{name} {number}" for name, number in sorted(profile.built_with.items()))
    for name, value in (
        ("profile", f"{path}, {path.stat().st_size} bytes, format {FORMAT_VERSION}"),
        ("model", profile.model_sha256),
        ("inputs", inputs),
        ("output", f"{profile.output} ({profile.output_kind})" if profile.output else "no classes"),
        ("holds", _in_short(profile)),
        ("built with", versions),
    ):
        table.add_row(name, Text(value))
    return table


def _class_table(profile: SourceProfile) -> Table:
    table = Table("class", title=_title("classes", len(profile.classes)))
    for name in ("prior", "validation rows", "recall"):
        table.add_column(name, justify="right")
    confusion = None if profile.validation is None else profile.validation.confusion
    for place, name in enumerate(profile.classes[:_SHOWN]):
        rows = 0 if confusion is None else int(confusion[place].sum())
        recall = "-" if confusion is None or not rows else f"{confusion[place, place] / rows:.4f}"
        table.add_row(Text(name), f"{profile.class_prior[place]:.4f}", str(rows), recall)
    return table


def _word_table(profile: SourceProfile) -> Table:
    counts = profile.word_counts.sum(axis=0)
    table = Table("word", title=_title("most frequent words", len(profile.words)))
    for name in ("count", "share of these words"):
        table.add_column(name, justify="right")
    for word, count in list(zip(profile.words, counts.tolist(), strict=True))[:_SHOWN]:
        table.add_row(Text(word), str(count), f"{count / max(counts.sum(), 1):.4f}")
    return table


def _feature_table(profile: SourceProfile) -> Table:
    places = _numeric(profile)
    table = Table("feature", title=_title("features", len(places)))
    for name in ("low", "high", "mean", "deviation"):
        table.add_column(name, justify="right")
    names = profile.feature_names or tuple(map(str, range(len(profile.low))))
    for place in places[:_SHOWN]:
        numbers = (profile.low, profile.high, profile.mean, np.sqrt(profile.variance))
        table.add_row(Text(names[place]), *(f"{array[place]:.4g}" for array in numbers))
    return table


def _numeric(profile: SourceProfile) -> list[int]:
    """Places of the features that are values of the inputs; the others count words in hashed buckets."""
    places: list[int] = []
    first = 0
    for spec in profile.inputs:
        width = WORD_BUCKETS if spec.datatype == "BYTES" else prod(spec.shape)
        places += range(first, first + width) if spec.datatype != "BYTES" else ()
        first += width
    return places


def _title(what: str, count: int) -> str:
    return what if count <= _SHOWN else f"{what} (the first {_SHOWN} of {count}; all with --format json)"
