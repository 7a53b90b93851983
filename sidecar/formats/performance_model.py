"""Reads and writes fitted performance models: safetensors with versioned JSON beside the arrays.

A file holds the evidence (the sources' rows, the target's) and what took time to learn from it; the rest
is made again on reading. All models of a file are over one space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from sidecar.core.errors import InvalidError
from sidecar.core.files import replace_file
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.fit import refit
from sidecar.estimation.performance.model import PerformanceModel
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import check_metric_name
from sidecar.estimation.performance.task import Pool, Task

FORMAT_VERSION: Final = 1
_METADATA: Final = "pilotfish_performance"
_REFIT: Final = "fit it again with `pilotfish perf fit`"
# A source of 15,000 rows and six options takes 1 MiB.
_MOST_BYTES: Final = 256 << 20
_MOST_MODELS: Final = 64
# Logarithms: of a metric, e^60 bytes or seconds is beyond all machines; of a hyperparameter, so far from
# its prior nothing is ever drawn.
_MOST_LOG: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Model:
    """The JSON part of one model."""

    metric: str
    environment: dict[str, str]
    strategy: str
    sources: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Header:
    """The JSON part of a file of this format version."""

    format_version: int
    space: Space
    models: tuple[_Model, ...]


_HEADER: Final = TypeAdapter(_Header)


def write_models(models: Mapping[str, PerformanceModel], path: Path | str) -> None:
    """Writes models of one environment; the file appears whole or not at all.

    Args:
        models: by metric; at least one.
        path: of the file.

    Raises:
        InvalidError: the models are over different options.
        OSError: the file cannot be written.
    """
    path = Path(path)
    parts = list(models.values())
    if any(model.space != parts[0].space for model in parts):
        raise InvalidError(f"{path}: the models are over different options: write one file each")
    described = tuple(
        _Model(
            model.metric,
            dict(model.environment),
            model.strategy,
            tuple(source.environment for source in model.sources),
        )
        for model in parts
    )
    arrays: dict[str, Array] = {}
    for place, model in enumerate(parts):
        arrays[f"{place}/codes"] = model.task.measured.codes
        arrays[f"{place}/values"] = model.task.values
        for number, source in enumerate(model.sources):
            for name in ("codes", "values", "draws", "weights"):
                arrays[f"{place}/source/{number}/{name}"] = getattr(source, name)
        for key, array in model.fitted.learned.items():
            arrays[f"{place}/learned/{key}"] = array
    # One metadata key only: safetensors writes several in no fixed order.
    header = asdict(_Header(FORMAT_VERSION, parts[0].space, described))
    metadata = {_METADATA: json.dumps(header, sort_keys=True, separators=(",", ":"))}
    contiguous = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()}
    replace_file(path, safetensors.numpy.save(contiguous, metadata))


def read_models(path: Path | str) -> dict[str, PerformanceModel]:
    """Reads the models of a file by metric.

    Raises:
        InvalidError: the file is missing, damaged, too large, of another format version, or no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such model: fit it with `pilotfish perf fit`")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise InvalidError(
            f"{path}: {size} bytes; at most {_MOST_BYTES} are read: fit it to fewer rows or sources"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header = _read_header(path, (file.metadata() or {}).get(_METADATA))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError) as error:
        raise InvalidError(
            f"{path}: not a performance model, or a damaged one ({error}): {_REFIT}"
        ) from error
    try:
        models = [_model(header.space, model, _part(arrays, str(n))) for n, model in enumerate(header.models)]
    except KeyError as error:
        raise InvalidError(f"{path}: the model has no array {error}: {_REFIT}") from error
    except (InvalidError, np.linalg.LinAlgError) as error:
        raise InvalidError(f"{path}: a damaged model, {error}: {_REFIT}") from error
    return {model.metric: model for model in models}


def _read_header(path: Path, text: str | None) -> _Header:
    if text is None:
        raise InvalidError(f"{path}: a safetensors file, but not a performance model: {_REFIT}")
    try:
        found = json.loads(text).get("format_version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidError(f"{path}: the model's description is damaged ({error}): {_REFIT}") from error
    if found != FORMAT_VERSION:
        raise InvalidError(
            f"{path}: the model has format version {found}; this Pilotfish reads {FORMAT_VERSION}: {_REFIT}"
        )
    try:
        header = _HEADER.validate_json(text)
    except (ValidationError, InvalidError) as error:
        raise InvalidError(f"{path}: the model's description is damaged ({error}): {_REFIT}") from error
    if not 0 < len(header.models) <= _MOST_MODELS:
        raise InvalidError(f"{path}: {len(header.models)} models; 1 to {_MOST_MODELS} are read: {_REFIT}")
    return header


def _model(space: Space, described: _Model, arrays: Mapping[str, Array]) -> PerformanceModel:
    check_metric_name(described.metric)
    sources = []
    for number, environment in enumerate(described.sources):
        own = _part(arrays, f"source/{number}")
        codes, values = _rows(space, own)
        source = Source(
            space, described.metric, environment, codes, values, _logs(own, "draws"), own["weights"]
        )
        sources.append(source)
    pool = Pool(space, tuple(sources))
    codes, values = _rows(space, arrays)
    learned = _part(arrays, "learned")
    for name in learned:
        _logs(learned, name)
    task = Task(pool, pool.rows(codes), values)
    return refit(task, described.metric, described.environment, described.strategy, learned)


def _part(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    """The arrays whose names start with this one, without it."""
    start = f"{name}/"
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def _rows(space: Space, arrays: Mapping[str, Array]) -> tuple[Floats, Floats]:
    codes, values = _logs(arrays, "codes", most=np.inf), _logs(arrays, "values")
    if codes.ndim != 2 or codes.shape != (len(values), len(space.options)) or values.ndim != 1:  # noqa: PLR2004 - a matrix
        raise InvalidError(f"its rows have shapes {codes.shape} and {values.shape}")
    for option, column in zip(space.options, codes.T, strict=True):
        for code in np.unique(column).tolist():
            if not option.has(code):
                raise InvalidError(f"option {option.name!r} has no value of code {code:g}")
    return codes, values


def _logs(arrays: Mapping[str, Array], name: str, most: float = _MOST_LOG) -> Floats:
    array = arrays[name]
    if array.dtype != np.float64 or not (np.isfinite(array) & (np.abs(array) <= most)).all():
        raise InvalidError(f"array {name!r} holds no numbers of the expected size")
    return array
