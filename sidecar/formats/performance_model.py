"""Reads and writes fitted performance models: safetensors with versioned JSON beside the arrays.

A file holds the measured rows of the sources and the target, and the parameters that take long to learn; the
rest is computed on reading. All models of a file have the same space of options.
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
# Greatest absolute logarithm. No machine has e^60 bytes or seconds of a metric, and no hyperparameter is
# drawn so far from its prior.
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
        models: at least one model, by metric.
        path: path of the file.

    Raises:
        InvalidError: the models have different options.
        OSError: the file cannot be written.
    """
    path = Path(path)
    parts = list(models.values())
    if any(model.space != parts[0].space for model in parts):
        raise InvalidError(
            f"{path}: the models have different options: write each model to a file of its own"
        )
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
    # There is one metadata key only, because safetensors writes several keys in no fixed order.
    header = asdict(_Header(FORMAT_VERSION, parts[0].space, described))
    metadata = {_METADATA: json.dumps(header, sort_keys=True, separators=(",", ":"))}
    contiguous = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()}
    replace_file(path, safetensors.numpy.save(contiguous, metadata))


def read_models(path: Path | str) -> dict[str, PerformanceModel]:
    """Reads the models of a file by metric.

    Raises:
        InvalidError: the file is missing, damaged, too large, of another format version, or holds no models.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidError(f"{path}: there is no such model file: fit a model with `pilotfish perf fit`")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise InvalidError(
            f"{path}: the file has {size} bytes, more than {_MOST_BYTES}: fit it to fewer rows or sources"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header = _read_header(path, (file.metadata() or {}).get(_METADATA))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError) as error:
        raise InvalidError(
            f"{path}: the file is no performance model, or it is damaged ({error}): {_REFIT}"
        ) from error
    try:
        models = [_model(header.space, model, _part(arrays, str(n))) for n, model in enumerate(header.models)]
    except KeyError as error:
        raise InvalidError(f"{path}: the model has no array {error}: {_REFIT}") from error
    except (InvalidError, np.linalg.LinAlgError) as error:
        raise InvalidError(f"{path}: the model is damaged, {error}: {_REFIT}") from error
    return {model.metric: model for model in models}


def _read_header(path: Path, text: str | None) -> _Header:
    if text is None:
        raise InvalidError(f"{path}: the file is safetensors, but no performance model: {_REFIT}")
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
        raise InvalidError(
            f"{path}: the file holds {len(header.models)} models, not 1 to {_MOST_MODELS}: {_REFIT}"
        )
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
    """Returns the arrays below this name, by the rest of their names."""
    start = f"{name}/"
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def _rows(space: Space, arrays: Mapping[str, Array]) -> tuple[Floats, Floats]:
    codes, values = _logs(arrays, "codes", most=np.inf), _logs(arrays, "values")
    if codes.ndim != 2 or codes.shape != (len(values), len(space.options)) or values.ndim != 1:  # noqa: PLR2004 - a matrix
        raise InvalidError(
            f"its rows have shapes {codes.shape} and {values.shape}, which do not fit its space"
        )
    for option, column in zip(space.options, codes.T, strict=True):
        for code in np.unique(column).tolist():
            if not option.has(code):
                raise InvalidError(f"option {option.name!r} has no value of code {code:g}")
    return codes, values


def _logs(arrays: Mapping[str, Array], name: str, most: float = _MOST_LOG) -> Floats:
    array = arrays[name]
    if array.dtype != np.float64 or not (np.isfinite(array) & (np.abs(array) <= most)).all():
        raise InvalidError(f"array {name!r} does not hold finite numbers of the expected size")
    return array
