"""Published results: accuracy of models on several test sets, and their throughput on several machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from sidecar.core.tensors import Floats

# Items of the test sets. ImageNet-ReaL leaves out 3,163 images without a label.
_ITEMS: Final = {
    "imagenet": 50_000,
    "imagenet-real": 46_837,
    "imagenetv2-matched-frequency": 10_000,
    "sketch": 50_889,
}
# Of a set that is not known: the fewest of those that are.
_FEWEST: Final = min(_ITEMS.values())


@dataclass(frozen=True, slots=True)
class Published:
    """Models that every test set and at least one file of every machine has.

    Attributes:
        names: of the models with their image sizes.
        parameters: millions, [models].
        accuracy: ratios by test set, [models].
        items: of each test set.
        throughput: images a second by machine and file, [models]; NaN where a file lacks a model.
        notes: what was left out.
    """

    names: tuple[str, ...]
    parameters: Floats
    accuracy: Mapping[str, Floats]
    items: Mapping[str, int]
    throughput: Mapping[str, Mapping[str, Floats]]
    notes: tuple[str, ...]


def read_published(folder: Path) -> Published | None:
    """Reads all results-*.parquet and benchmark-infer-*.parquet; None where either are missing."""
    accuracy, parameters, notes = _accuracies(folder)
    machines: dict[str, dict[str, dict[tuple[str, int], float]]] = {}
    for path in sorted(folder.glob("benchmark-infer-*.parquet")):
        name = path.stem.removeprefix("benchmark-infer-")
        machines.setdefault(_machine(name), {})[name] = _rates(path)
    if not accuracy or not machines:
        return None
    common = set.intersection(*(set(one) for one in accuracy.values()))
    # Throughput is that of an architecture; how it was trained does not matter.
    measured = [set().union(*files.values()) for files in machines.values()]
    models = sorted(key for key in common if all((_architecture(key[0]), key[1]) in one for one in measured))
    keys = [(_architecture(name), size) for name, size in models]
    return Published(
        names=tuple(f"{name}@{size}" for name, size in models),
        parameters=np.array([parameters[key] for key in models]),
        accuracy={name: np.array([one[key] for key in models]) for name, one in accuracy.items()},
        items={name: _ITEMS.get(name, _FEWEST) for name in accuracy},
        throughput={
            machine: {
                name: np.array([rates.get(key, np.nan) for key in keys]) for name, rates in files.items()
            }
            for machine, files in machines.items()
        },
        notes=tuple(notes),
    )


def _accuracies(
    folder: Path,
) -> tuple[dict[str, dict[tuple[str, int], float]], dict[tuple[str, int], float], list[str]]:
    accuracy: dict[str, dict[tuple[str, int], float]] = {}
    parameters: dict[tuple[str, int], float] = {}
    notes = []
    for path in sorted(folder.glob("results-*.parquet")):
        name = path.stem.removeprefix("results-")
        if name not in _ITEMS:
            notes.append(
                f"{path.name}: how many items the test set has is not known here; taken as {_FEWEST:,}"
            )
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        accuracy[name] = {(row["model"], row["img_size"]): row["top1"] / 100 for row in rows}
        for row in rows:
            parameters[row["model"], row["img_size"]] = float(str(row["param_count"]).replace(",", ""))
    return accuracy, parameters, notes


def _rates(path: Path) -> dict[tuple[str, int], float]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return {
        (_architecture(row["model"]), row["infer_img_size"]): row["infer_samples_per_sec"]
        for row in rows
        if row["infer_samples_per_sec"]
    }


def _architecture(model: str) -> str:
    return model.partition(".")[0]


def _machine(file: str) -> str:
    """The processor, which stands last but for how the model was compiled."""
    return file.removesuffix("-dynamo").rpartition("-")[2].removeprefix("rtx")
