"""Pools of models that are known by their hard predictions only."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.corpus import LIVE_ROWS
from sidecar.core.ranking import Ranking
from sidecar.core.tensors import Array
from sidecar.estimation.ranking.order import RankSettings
from sidecar.tools.offline.predictions import (
    UNUSABLE,
    Predictions,
    prediction_sets,
    rank_predictions,
    read_predictions,
)

_LABELS: Final = "labels"
_CONDITION: Final = "condition"


def cases(workload: str, path: Path, *, seed: int, said: Callable[[str], None]) -> Iterator[Case]:
    """Yields every set of predictions of a file, a sample of its items.

    Args:
        workload: its name.
        path: the file.
        seed: of the samples.
        said: told what is being done.
    """
    for array in prediction_sets(path):
        name = array.partition("|")[0]
        said(f"reads {name}")
        pool = read_predictions(path, predictions=array, label=f"{name}|{_LABELS}")
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        rows = rng.permutation(len(pool.answers))[:LIVE_ROWS]
        with np.load(path) as arrays:
            condition = f"{name}|{_CONDITION}"
            segments = arrays[condition][rows] if condition in arrays.files else None
        sample = _with_unusable(pool).take(rows)
        if sample.truth is None:
            raise RuntimeError(f"{path}: {name} has no labels")
        yield Case(
            workload=workload,
            source=path.stem,
            target=name,
            quality="accuracy",
            names=pool.names,
            sources=("",) * len(pool.names),
            evidence=sample.evidence(),
            truth=sample.truth,
            rank=partial(_rank, sample),
            rank_part=partial(_rank_part, sample),
            segments=segments,
        )


def _with_unusable(pool: Predictions) -> Predictions:
    """In the files an id one above the classes of the labels means that there is no usable answer."""
    if pool.truth is None or not all(name.isdigit() for name in pool.classes):
        return pool
    last = max(int(pool.classes[place]) for place in np.unique(pool.truth[pool.truth >= 0]).tolist())
    classes = tuple(name if int(name) <= last else UNUSABLE for name in pool.classes)
    return replace(pool, classes=classes) if classes.count(UNUSABLE) == 1 else pool


def _rank(sample: Predictions) -> Ranking:
    return rank_predictions(sample)


def _rank_part(sample: Predictions, items: Array) -> Ranking:
    return rank_predictions(sample.take(items), RankSettings(find_segments=False))
