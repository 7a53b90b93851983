"""The everyday case: several models of one source, and traffic like it. Every interval holds the truth.

Models are trained, profiled and ranked as a user would; the tasks are scikit-learn's bundled data and tables
made here. What was wrong once with each kind has a test of its own below.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from benchmarks.selection.corpus import Corpus, Domain, Part
from benchmarks.selection.plan import Plan, Traffic, one_of_each_family
from benchmarks.selection.prepared import LABEL, prepare
from sidecar.core.tensors import Array
from sidecar.tools.cli.rank import rank

# Columns, and rows with labels.
Table = tuple[tuple[str, ...], Part]


def passengers(rows: int = 1300, *, age: float = 40, sexes: str = "MF", ports: str = "SCQ") -> Table:
    """A small table with text columns, where nobody can be right about everybody."""
    rng = np.random.default_rng(1912)
    sex, port = rng.choice(list(sexes), rows), rng.choice(list(ports), rows)
    years, fare = rng.normal(age, 12, rows).clip(1), rng.lognormal(3, 1, rows)
    odds = 1.4 * np.where(sex == "F", 1, -1) + 0.02 * (40 - years) + 0.3 * np.log(fare) - 1.2
    survived = rng.random(rows) < 1 / (1 + np.exp(-1.3 * odds))
    items = np.empty((rows, 4), dtype=np.object_)
    for place, column in enumerate((years, fare, sex.astype(object), port.astype(object))):
        items[:, place] = column
    return ("age", "fare", "sex", "port"), Part.of(items, survived)


def numbers(items: Array, labels: Array) -> Table:
    return tuple(f"c{place}" for place in range(items.shape[1])), Part.of(items, labels)


def digits(side: int = 8) -> Table:
    images, labels = load_digits(return_X_y=True)
    step = 8 // side
    coarse = images.reshape(-1, side, step, side, step).mean(axis=(2, 4)).reshape(len(images), -1)
    return numbers(coarse, labels)


def parity() -> Table:
    images, labels = load_digits(return_X_y=True)
    return numbers(images, labels % 2)


def progression() -> Table:
    items, disease = load_diabetes(return_X_y=True)
    return numbers(items, disease > np.median(disease))


def padded() -> Table:
    """Six columns that matter, and thirty that are constant."""
    rng = np.random.default_rng(6)
    items = rng.normal(size=(4000, 6))
    labels = items[:, 0] + items[:, 1] + rng.normal(size=len(items)) > 0
    return numbers(np.hstack([items, np.zeros((len(items), 30))]), labels)


def heavy_tailed() -> Table:
    """Amounts of which few are as large as all others together, and one that is nearly always 0."""
    rng = np.random.default_rng(7)
    items = rng.lognormal(0, 2, size=(3000, 4))
    items[:, 3] *= rng.random(len(items)) < 0.02
    return numbers(items, np.log(items[:, 0]) - np.log(items[:, 1]) + rng.normal(0, 2, len(items)) > 0)


TASKS: dict[str, Callable[[], Table]] = {
    "passengers": passengers,
    "tumours": lambda: numbers(*load_breast_cancer(return_X_y=True)),
    "progression": progression,
    "digits": digits,
    "coarse digits": partial(digits, side=4),
    "parity": parity,
    "padded": padded,
    "heavy-tailed": heavy_tailed,
}


def ranked(
    table: Table, folder: Path, capsys: pytest.CaptureFixture[str], live: Part | None = None
) -> dict[str, Any]:
    """Trains a model of each family on half of the rows, and ranks them on a third that none of them saw."""
    columns, whole = table
    rows = np.random.default_rng(0).permutation(len(whole.labels))
    learned, validated, served = np.split(rows, [len(rows) // 2, len(rows) * 2 // 3])
    live = whole.take(served) if live is None else live
    here = Domain("here", whole.take(learned), whole.take(validated), live)
    corpus = Corpus(columns, (here,))

    def planned(_: Path, seed: int) -> Plan:
        made = tuple(one_of_each_family(corpus, here, seed))
        return Plan(columns, made, (Traffic("live", here.live, tuple(one.name for one in made)),))

    target = prepare(planned, folder, folder, seed=0, said=lambda _: None)[0]
    capsys.readouterr()
    rank(
        candidates=target.candidates,
        data=target.live,
        labels=LABEL,
        report=folder / "report.html",
        format="json",
    )
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("task", TASKS)
def test_every_interval_holds_the_truth(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ranked(TASKS[task](), tmp_path, capsys)
    assert found["state"] == "STATE_OK", found["reason"]
    for one in found["candidates"]:
        accuracy = one["accuracy"]
        assert accuracy["low"] <= one["true_accuracy"] <= accuracy["high"], one["name"]
        assert accuracy["high"] - accuracy["low"] < 0.3
    true = [one["true_accuracy"] for one in found["candidates"]]
    assert max(true) - true[0] <= 0.05


def test_values_that_no_training_row_had_are_named_by_their_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, elsewhere = passengers(600, age=400, sexes="X", ports="Z")
    found = ranked(passengers(), tmp_path, capsys, live=elsewhere)
    assert found["state"] == "STATE_OUT_OF_SUPPORT"
    assert "training data" in found["reason"]
    for one in found["candidates"]:
        assert one["state"] == "STATE_OUT_OF_SUPPORT"
    page = (tmp_path / "report.html").read_text()
    assert all(f">{column}<" in page for column in ("age", "sex", "port"))
    assert "words[" not in page
    assert "age[0]" not in page


def test_two_columns_of_three_that_left_the_support_are_not_drowned_by_their_buckets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, moved = passengers(600, sexes="X", ports="Z")
    found = ranked(passengers(), tmp_path, capsys, live=moved)
    assert found["state"] != "STATE_OK"
