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

from benchmarks.selection.corpus import Part
from benchmarks.selection.plan import Candidate, Load, Traffic
from sidecar.core.errors import InvalidError
from sidecar.core.profile import PARTITION_ROWS
from sidecar.formats.profile import read_profile, write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

# Part of the cache's key: raise it when rows, models or their training change.
VERSION: Final = 2
LABEL: Final = "label"
_MANIFEST: Final = "manifest.json"
# Answers are the same in larger batches, and sooner.
_BATCH: Final = 512
# Few training rows or a short window get smaller partitions, so that there are some to compare.
_LEAST_PARTITION: Final = 20
_PARTITIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Target:
    """Traffic for candidates.

    Attributes:
        candidates: a file that `pilotfish rank --candidates` takes.
        live: the rows, for its `--data`; labels stand in the column `LABEL`.
        sources: what each candidate was trained on, by its name.
    """

    name: str
    candidates: Path
    live: Path
    sources: dict[str, str]


def prepare(
    load: Load, path: Path, folder: Path, *, seed: int, said: Callable[[str], None]
) -> tuple[Target, ...]:
    """Loads the data, trains and profiles what is not there yet.

    Args:
        load: plans the file.
        path: the file.
        folder: keeps what is made of this file and seed; see `folder_of`.
        seed: of all draws and trainings.
        said: told what is being done.

    Raises:
        InvalidError: the file does not hold what the workload needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _prepared(load, path, folder, seed, said)


def folder_of(workload: str, path: Path, cache: Path, seed: int) -> Path:
    """A folder for each workload, file content, seed and `VERSION`."""
    hashed = hashlib.sha256(f"{VERSION} {seed} ".encode())
    if path.is_file():
        hashed.update(path.read_bytes())
    return cache / f"{workload}-{path.stem}-{hashed.hexdigest()[:16]}"


def _prepared(
    load: Load, path: Path, folder: Path, seed: int, said: Callable[[str], None]
) -> tuple[Target, ...]:
    manifest = folder / _MANIFEST
    if not manifest.exists():
        said(f"reads {path.name}")
        plan = load(path, seed)
        made = {
            "models": [_train(folder, one, plan.columns, said) for one in plan.candidates],
            "traffic": [_serve(folder, one, plan.columns) for one in plan.traffic],
        }
        manifest.write_text(json.dumps(made, indent=1))
    made = json.loads(manifest.read_text())
    window = min((one["rows"] for one in made["traffic"]), default=0)
    for model in made["models"]:
        _profile(folder, model, _partition_rows(min(model["rows"], window)), seed, said)
    models = {model["name"]: model for model in made["models"]}
    return tuple(
        _target(folder, one, [models[name] for name in one["candidates"]])
        for one in made["traffic"]
        if one["candidates"]
    )


def _train(
    folder: Path, one: Candidate, columns: tuple[str, ...], said: Callable[[str], None]
) -> dict[str, Any]:
    said(f"trains {one.name} on {one.source}")
    slug = _slug(one.name)
    for name, part in (("train", one.train), ("validation", one.validation)):
        _write(folder / f"{slug}-{name}.parquet", part, columns)
    return {
        "name": slug,
        "source": one.source,
        "rows": len(one.train.labels),
        "classes": one.write(folder / f"{slug}.onnx"),
    }


def _serve(folder: Path, one: Traffic, columns: tuple[str, ...]) -> dict[str, Any]:
    slug = _slug(one.name)
    _write(folder / f"{slug}-live.parquet", one.live, columns)
    candidates = [_slug(name) for name in one.candidates]
    return {"name": one.name, "slug": slug, "rows": len(one.live.labels), "candidates": candidates}


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
    texts = part.text_columns or ()
    kept = None if part.text_columns is None and part.items.dtype == np.object_ else np.float32
    table = pa.table(
        {
            name: items[:, place] if place in texts or kept is None else items[:, place].astype(kept)
            for place, name in enumerate(columns)
        }
        | {LABEL: part.labels}
    )
    pq.write_table(table, path)


def _profile(
    folder: Path, model: dict[str, Any], partition_rows: int, seed: int, said: Callable[[str], None]
) -> None:
    """Builds a model's profile as `pilotfish profile build` does, unless there is one that can be read."""
    name = model["name"]
    path, onnx = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    if path.exists():
        try:
            read_profile(path, model_sha256=hashlib.sha256(onnx.read_bytes()).hexdigest())
        except InvalidError:
            path.unlink()
        else:
            return
    said(f"profiles {name}")
    opened = OnnxModel(onnx)
    profile = build_profile(
        opened,
        open_rows(folder / f"{name}-train.parquet", opened.inputs, label=LABEL),
        open_rows(folder / f"{name}-validation.parquet", opened.inputs, label=LABEL),
        output=class_output(opened),
        classes=model["classes"],
        partition_rows=partition_rows,
        seed=seed,
        progress=lambda _: None,
    )
    write_profile(profile, path)


def _target(folder: Path, traffic: dict[str, Any], models: list[dict[str, Any]]) -> Target:
    candidates = folder / f"{traffic['slug']}.yaml"
    candidates.write_text(
        yaml.safe_dump(
            {
                "candidates": [
                    {
                        "name": model["name"],
                        "profile": f"{model['name']}.safetensors",
                        "onnx": {"path": f"{model['name']}.onnx", "batch": _BATCH},
                    }
                    for model in models
                ]
            }
        )
    )
    sources = {model["name"]: model["source"] for model in models}
    return Target(traffic["name"], candidates, folder / f"{traffic['slug']}-live.parquet", sources)
