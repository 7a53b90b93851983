"""Public tables of measurements as performance tables: one family of environments per kind of file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.space import Option, OptionKind, Space, Value
from sidecar.estimation.performance.table import PerformanceTable

# What HELP's authors learned from; the other devices of the file are unseen.
_HELP_SOURCES = (
    "pixel3", "samsung_a50", "samsung_s7", "essential_ph_1", "silver_4114", "silver_4210r",
    "1080ti_1", "1080ti_32", "1080ti_256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a public file, and what it is here."""

    column: str
    name: str
    scale: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Source environments and the target; `group` adds the pair to a table of its own."""

    sources: tuple[str, ...]
    target: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Environments that share a space.

    Attributes:
        name: of the table of results.
        tables: by environment.
        metrics: what is predicted.
        transfers: which environments from which.
        note: how the transfers were chosen, and what was left out.
    """

    name: str
    tables: Mapping[str, PerformanceTable]
    metrics: tuple[Metric, ...]
    transfers: tuple[Transfer, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: the pattern of its names, and its reader (folder, files, pairs, rng)."""

    name: str
    pattern: str
    read: Callable[[Sequence[Path], int, np.random.Generator], Family]


def tx2(files: Sequence[Path], most: int, rng: np.random.Generator) -> Family:
    """Models on a Jetson TX2; an environment is a model and an input size."""
    columns = _read(files[0])
    names = [name for name in columns if name.startswith(("core", "gpu", "emc"))]
    space = Space(tuple(_option(name, columns[name]) for name in names if len(set(columns[name])) > 1))
    environments = [
        f"{model} {size}" for model, size in zip(columns["model_name"], columns["size"], strict=True)
    ]
    # Seconds and milliwatts.
    metrics = (Metric("inference_time", "time_s", 1.0), Metric("power_consumption", "power_w", 1e-3))
    tables = _split(space, environments, columns, metrics)
    transfers = []
    for source, target in permutations(tables, 2):
        one, other = source.split()[0], target.split()[0]
        transfers.append(Transfer((source,), target, one if one == other else ""))
    return _family("tx2", tables, metrics, transfers, most, rng)


def deeparch(files: Sequence[Path], most: int, rng: np.random.Generator) -> Family:
    """Training of networks; an environment is a machine and a data set."""
    by_name = {file.name: file for file in files}
    columns = _read(by_name["deeparch.parquet"])
    configurations = _read(by_name["deeparch_configurations.parquet"])
    names = [name for name in configurations if name != "config_id"]
    row = {number: place for place, number in enumerate(configurations["config_id"])}
    for name in names:
        columns[name] = [configurations[name][row[number]] for number in columns["config_id"]]
    space = Space(tuple(_option(name, columns[name]) for name in names))
    environments = [
        f"{machine} {data}" for machine, data in zip(columns["hardware"], columns["dataset"], strict=True)
    ]
    metrics = (Metric("inference_time", "time_s", 1.0),)
    tables = _split(space, environments, columns, metrics)
    transfers = [Transfer((source,), target) for source, target in permutations(tables, 2)]
    family = _family("deeparch", tables, metrics, transfers, most, rng)
    return Family(
        family.name,
        family.tables,
        metrics,
        family.transfers,
        f"{family.note}; val_acc is no performance metric",
    )


def unicorn(files: Sequence[Path], most: int, rng: np.random.Generator) -> Family:
    """Systems on Jetson boards, options one-hot in columns OPTION@VALUE; an environment is a file."""
    decoded: dict[str, dict[str, list[Any]]] = {}
    for file in files:
        columns = _read(file)
        options: dict[str, dict[float, Any]] = {}
        for name in columns:
            if "@" in name:
                option, value = name.rsplit("@", 1)
                options.setdefault(option, {})[float(value)] = columns[name]
        plain = {name: values for name, values in columns.items() if "@" not in name}
        for option, hot in options.items():
            places = np.argmax(np.array(list(hot.values())), axis=0)
            plain[option] = [list(hot)[place] for place in places]
        decoded[file.stem.removeprefix("unicorn_")] = plain
    metrics = (
        Metric("inference_time", "time_s", 1.0),
        # Millijoules.
        Metric("total_energy_consumption", "energy_j", 1e-3),
    )
    first = next(iter(decoded.values()))
    measured = {metric.column for metric in metrics}
    names = [
        name for name in first if name not in measured and all(name in part for part in decoded.values())
    ]
    joined = {
        name: [value for part in decoded.values() for value in part[name]] for name in [*names, *measured]
    }
    environments = [name for name, part in decoded.items() for _ in part[names[0]]]
    space = Space(tuple(_option(name, joined[name]) for name in names if len(set(joined[name])) > 1))
    tables = _split(space, environments, joined, metrics)
    transfers = [Transfer((source,), target) for source, target in permutations(tables, 2)]
    return _family("unicorn", tables, metrics, transfers, most, rng)


def nasbench(files: Sequence[Path], most: int, rng: np.random.Generator) -> Family:
    """Latency of the architectures of NAS-Bench-201; an environment is a device."""
    columns = _read(files[0])
    operations = [
        [operation for operation in text.replace("+", "").split("|") if operation]
        for text in columns["architecture"]
    ]
    edges = {f"edge{place}": list(values) for place, values in enumerate(zip(*operations, strict=True))}
    space = Space(tuple(_option(name, values) for name, values in edges.items()))
    devices = [name for name in columns if name != "architecture"]
    codes = _codes(space, edges)
    # Milliseconds.
    metric = Metric("latency", "latency_s", 1e-3)
    tables = {
        device: PerformanceTable(
            space, {"device": device}, codes, {"latency_s": _scaled(columns[device], metric)}
        )
        for device in devices
    }
    known = tuple(device for device in _HELP_SOURCES if device in devices)
    if len(known) < 2:
        known = tuple(sorted(rng.permutation(devices)[: max(1, len(devices) // 2)]))
    transfers = [Transfer(known, device) for device in devices if device not in known]
    family = _family("help_nasbench201", tables, (metric,), transfers, most, rng)
    note = f"{family.note}, each from all of {', '.join(known)}"
    return Family(family.name, tables, family.metrics, family.transfers, note)


KINDS = (
    Kind("tx2", "tx2.parquet", tx2),
    Kind("deeparch", "deeparch*.parquet", deeparch),
    Kind("help_nasbench201", "help_nasbench201.parquet", nasbench),
    Kind("unicorn", "unicorn_*.parquet", unicorn),
)


def _family(
    name: str,
    tables: Mapping[str, PerformanceTable],
    metrics: tuple[Metric, ...],
    transfers: Sequence[Transfer],
    most: int,
    rng: np.random.Generator,
) -> Family:
    drawn = sorted(rng.permutation(len(transfers))[:most])
    note = f"{len(drawn)} of {len(transfers)} transfers" + (
        ", drawn evenly" if len(drawn) < len(transfers) else ""
    )
    return Family(name, tables, metrics, tuple(transfers[place] for place in drawn), note)


def _read(file: Path) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = pq.read_table(file).to_pydict()
    return columns


def _option(name: str, column: Sequence[Value]) -> Option:
    """Text and two values are categories; numbers above 0 count by their ratios."""
    values = tuple(sorted(set(column)))
    if len(values) <= 2 or isinstance(values[0], str):
        kind = OptionKind.CATEGORICAL
    else:
        kind = OptionKind.LOG if values[0] > 0 else OptionKind.NUMERIC
    return Option(name, kind, values, values[0])


def _codes(space: Space, columns: Mapping[str, Sequence[Value]]) -> Floats:
    found = []
    for option in space.options:
        known = {value: option.code(value) for value in set(columns[option.name])}
        found.append([known[value] for value in columns[option.name]])
    return np.array(found).T


def _scaled(column: Sequence[float], metric: Metric) -> Floats:
    return np.array(column, dtype=np.float64) * metric.scale


def _split(
    space: Space, environments: Sequence[str], columns: Mapping[str, Sequence[Any]], metrics: Sequence[Metric]
) -> dict[str, PerformanceTable]:
    codes = _codes(space, columns)
    values = {metric.name: _scaled(columns[metric.column], metric) for metric in metrics}
    places = np.array(environments)
    tables = {}
    for environment in dict.fromkeys(environments):
        rows = places == environment
        measured = {name: column[rows] for name, column in values.items()}
        tables[environment] = PerformanceTable(space, {"environment": environment}, codes[rows], measured)
    return tables
