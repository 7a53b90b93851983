"""A workload on disk: every domain's rows, models and profiles, made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.selection.corpus import Domain, Load, Part
from benchmarks.selection.families import families, train
from benchmarks.selection.workloads import Workload
from sidecar.core.errors import InvalidError
from sidecar.core.profile import PARTITION_ROWS
from sidecar.formats.profile import read_profile, write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

# Part of the cache's key: raise it when rows, models or their training change.
VERSION: Final = 1
LABEL: Final = "label"
_MANIFEST: Final = "manifest.json"
# Answers are the same in larger batches, and sooner.
_BATCH: Final = 512
# Few training rows or a short window get smaller partitions, so that there are some to compare.
_LEAST_PARTITION: Final = 20
_PARTITIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Target:
    """A domain as traffic for the others' models.

    Attributes:
        candidates: a file that `pilotfish rank --candidates` takes.
        live: the rows, for its `--data`; labels stand in the column `LABEL`.
        sources: the source domain of each candidate, by its name.
    """

    name: str
    candidates: Path
    live: Path
    sources: dict[str, str]


def prepare(
    workload: Workload, load: Load, data: Path, cache: Path, *, seed: int, said: Callable[[str], None]
) -> tuple[Target, ...]:
    """Loads the data, trains and profiles what is not there yet.

    Args:
        workload: what to prepare.
        load: reads its file.
        data: the folder with its file.
        cache: holds one folder for each workload, file content, seed and `VERSION`.
        seed: of all draws and trainings.
        said: told what is being done.

    Raises:
        InvalidError: the file does not hold what the workload needs.
    """
    folder = cache / f"{workload.name}-{_key(workload, data, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _prepared(workload, load, data, folder, seed, said)


def _prepared(
    workload: Workload, load: Load, data: Path, folder: Path, seed: int, said: Callable[[str], None]
) -> tuple[Target, ...]:
    manifest = folder / _MANIFEST
    if not manifest.exists():
        said(f"{workload.name}: reads {workload.file or 'scikit-learn'}")
        corpus = load(data / workload.file, seed)
        entries = [_train(folder, workload.name, one, corpus.columns, seed, said) for one in corpus.domains]
        manifest.write_text(json.dumps(entries, indent=1))
    entries = json.loads(manifest.read_text())
    window = min(entry["live_rows"] for entry in entries)
    for entry in entries:
        rows = min(entry["train_rows"], window)
        for model in entry["models"]:
            _profile(folder, entry["slug"], model, _partition_rows(rows), seed, said)
    targets = (_target(folder, entry, entries) for entry in entries)
    return tuple(target for target in targets if target.sources)


def _key(workload: Workload, data: Path, seed: int) -> str:
    hashed = hashlib.sha256(f"{VERSION} {seed} ".encode())
    if workload.file:
        hashed.update((data / workload.file).read_bytes())
    return hashed.hexdigest()[:16]


def _train(
    folder: Path,
    workload: str,
    domain: Domain,
    columns: tuple[str, ...],
    seed: int,
    said: Callable[[str], None],
) -> dict[str, Any]:
    slug = _slug(domain.name)
    for name in ("train", "validation", "live"):
        _write(folder / f"{slug}-{name}.parquet", getattr(domain, name), columns)
    models = []
    several = len(np.unique(domain.train.labels.astype(str))) > 1
    for family, make in families(domain.train).items() if several else ():
        said(f"{workload}: trains {family} on {domain.name}")
        name = f"{slug}.{family}"
        models.append({"name": name, "classes": train(make, domain.train, folder / f"{name}.onnx", seed)})
    return {
        "name": domain.name,
        "slug": slug,
        "twins": sorted(domain.twins),
        "train_rows": len(domain.train.labels),
        "live_rows": len(domain.live.labels),
        "models": models,
    }


def _partition_rows(rows: int) -> int:
    """What a user would name with `--partition-rows` for a source or a window of so many rows."""
    if rows >= 2 * PARTITION_ROWS:
        return PARTITION_ROWS
    return min(rows, max(_LEAST_PARTITION, rows // _PARTITIONS))


def _slug(name: str) -> str:
    """A name for files and candidates; the digest keeps alike names apart."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:32]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def _write(path: Path, part: Part, columns: tuple[str, ...]) -> None:
    items = part.items[:, None] if part.items.ndim == 1 else part.items
    table = pa.table(
        {name: np.ascontiguousarray(items[:, place]) for place, name in enumerate(columns)}
        | {LABEL: part.labels}
    )
    pq.write_table(table, path)


def _profile(
    folder: Path,
    slug: str,
    model: dict[str, Any],
    partition_rows: int,
    seed: int,
    said: Callable[[str], None],
) -> None:
    """Builds a model's profile as `pilotfish profile build` does, unless there is one that can be read."""
    path = folder / f"{model['name']}.safetensors"
    onnx = folder / f"{model['name']}.onnx"
    if path.exists():
        try:
            read_profile(path, model_sha256=hashlib.sha256(onnx.read_bytes()).hexdigest())
        except InvalidError:
            path.unlink()
        else:
            return
    said(f"profiles {model['name']}")
    opened = OnnxModel(onnx)
    profile = build_profile(
        opened,
        open_rows(folder / f"{slug}-train.parquet", opened.inputs, label=LABEL),
        open_rows(folder / f"{slug}-validation.parquet", opened.inputs, label=LABEL),
        output=class_output(opened),
        classes=model["classes"],
        partition_rows=partition_rows,
        seed=seed,
        progress=lambda _: None,
    )
    write_profile(profile, path)


def _target(folder: Path, entry: dict[str, Any], entries: list[dict[str, Any]]) -> Target:
    sources = {
        model["name"]: other["name"]
        for other in entries
        if other["name"] != entry["name"] and other["name"] not in entry["twins"]
        for model in other["models"]
    }
    candidates = folder / f"{entry['slug']}.yaml"
    candidates.write_text(
        yaml.safe_dump(
            {
                "candidates": [
                    {
                        "name": name,
                        "profile": f"{name}.safetensors",
                        "onnx": {"path": f"{name}.onnx", "batch": _BATCH},
                    }
                    for name in sources
                ]
            }
        )
    )
    return Target(entry["name"], candidates, folder / f"{entry['slug']}-live.parquet", sources)
