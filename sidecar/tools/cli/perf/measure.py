"""`pilotfish perf measure`: runs a model in many configurations and writes a performance table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.estimation.performance.options import ONNX, V2, written
from sidecar.inference.onnx import OnnxModel
from sidecar.tools.cli.options import listed
from sidecar.tools.cli.perf.configurations import in_short, in_words
from sidecar.tools.measuring.inputs import random_inputs, repeated
from sidecar.tools.measuring.journal import Journal
from sidecar.tools.measuring.measure import QUIET_CORES, Outcome, Runner
from sidecar.tools.measuring.measure import measure as measure_all
from sidecar.tools.measuring.observation import Effort
from sidecar.tools.measuring.onnx import SERVER, OnnxRunner
from sidecar.tools.measuring.place import hardware as this_machine
from sidecar.tools.measuring.plan import plan
from sidecar.tools.measuring.space_file import MeasuredSpace, load_space
from sidecar.tools.measuring.statistics import LEAST_ROUNDS, ROUNDS
from sidecar.tools.measuring.v2 import V2Runner, ask, local
from sidecar.tools.profiles.data import open_rows
from sidecar.tools.records.performance_table import write_tables

_SHOWN: Final = 20
_EFFORT: Final = Effort()
# The heading of each metric, and the size of the heading's unit in the metric's unit.
_COLUMNS: Final = {
    "latency_p50_s": ("p50 ms", 1e-3),
    "latency_p99_s": ("p99 ms", 1e-3),
    "throughput_per_s": ("items/s", 1.0),
    "memory_bytes": ("MiB", float(1 << 20)),
    "energy_j": ("J/request", 1.0),
}
_ABSENT: Final = {
    "memory_bytes": "a V2 server does not report the memory of its models",
    "energy_j": "this process can read no energy counter here: give it access to RAPL or NVML",
}


@dataclass(frozen=True, slots=True)
class _Subject:
    """The model that is measured, and the way it runs.

    Attributes:
        environment: columns of the table that distinguish it from other environments.
        runner: runs the model while the context is open.
    """

    environment: dict[str, str]
    runner: AbstractContextManager[Runner]


def measure(
    *,
    model: str,
    space: Path,
    budget: int,
    out: Path,
    v2: str | None = None,
    data: Path | None = None,
    features: str | None = None,
    workload: str | None = None,
    hardware: str | None = None,
    rounds: int = ROUNDS,
    seconds: float = _EFFORT.seconds,
    requests: int = _EFFORT.requests,
    seed: int = 0,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> int:
    """Measures a model in chosen configurations.

    If the command is interrupted, run it again: it continues where it stopped.

    Args:
        model: ONNX file; with --v2, the model's name on that server.
        space: YAML file with the `options` to vary and, if wanted, `fixed` options and `constraints`.
        budget: Greatest number of configurations to measure: the defaults first, then configurations far
            apart from each other.
        out: Table to write, .parquet.
        v2: HOST:PORT of the gRPC port of a V2 server, such as Triton, that runs the model.
        data: File of items to send, .npz, .parquet or .csv. By default the items are random.
        features: Columns or arrays of `data` to use, comma-separated. The default is all.
        workload: Name of the items in the table. The default is the data file's name, or `random`.
        hardware: Name of the machine in the table. The default is this machine's processor.
        rounds: Observations of each configuration, at least 5.
        seconds: Least duration of the timed requests of an observation, in seconds.
        requests: Least number of timed requests of an observation.
        seed: Random seed of the choice and order of configurations, and of random items.
        format: table prints the findings for people; json prints one JSON object.
    """
    if not out.parent.is_dir():
        raise InvalidError(f"--out names a file in {out.parent}, but there is no such folder: make it first")
    for name, given, least in (
        ("budget", budget, 1),
        ("rounds", rounds, LEAST_ROUNDS),
        ("requests", requests, 1),
    ):
        if given < least:
            raise InvalidError(f"--{name} is {given}, which is too few: give at least {least}")
    rng = np.random.default_rng(seed)
    measured = load_space(space, ONNX if v2 is None else V2)
    codes = plan(measured.space, budget, rng)
    effort = Effort(seconds, requests)
    items = _most_items(measured)
    subject = (
        _onnx(Path(model), items, data, listed(features), effort, rng)
        if v2 is None
        else _served(v2, model, items, data, listed(features), hardware, effort, rng)
    )
    environment = {
        "hardware": hardware or this_machine(),
        **subject.environment,
        "workload": workload or ("random" if data is None else data.name),
        **{name: written(value) for name, value in measured.fixed.items()},
    }
    work = {
        "environment": environment,
        "configurations": [measured.space.configuration(row) for row in codes],
        "effort": asdict(effort),
        "rounds": rounds,
        "seed": seed,
    }
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        Journal(out, work) as journal,
        subject.runner as runner,
    ):
        task = progress.add_task("observations", total=len(codes) * rounds)
        outcome = measure_all(
            codes,
            space=measured.space,
            fixed=measured.fixed,
            environment=environment,
            runner=runner,
            journal=journal,
            rounds=rounds,
            rng=rng,
            progress=lambda: progress.advance(task),
        )
    write_tables([outcome.table], out)
    journal.remove()
    if format == "json":
        sys.stdout.write(json.dumps(_document(outcome, out)) + "\n")
    else:
        _show(outcome, out)
    return 1 if outcome.failures else 0


def _onnx(
    path: Path,
    items: int,
    data: Path | None,
    features: tuple[str, ...],
    effort: Effort,
    rng: np.random.Generator,
) -> _Subject:
    model = OnnxModel(path)
    inputs = _items(model.inputs, items, data, features, rng)
    environment = {
        "server": SERVER,
        "model": path.name,
        "model_sha256": model.sha256,
    }
    return _Subject(environment, OnnxRunner(path, inputs, effort))


def _served(
    address: str,
    name: str,
    items: int,
    data: Path | None,
    features: tuple[str, ...],
    hardware: str | None,
    effort: Effort,
    rng: np.random.Generator,
) -> _Subject:
    if hardware is None and not local(address):
        raise InvalidError(f"--hardware: name the machine that {address} runs on; it is not this one")
    served = ask(address, name)
    inputs = _items(served.inputs, items, data, features, rng)
    environment = {"server": served.server, "model": name}
    return _Subject(environment, nullcontext(V2Runner(address, name, inputs, effort)))


def _most_items(measured: MeasuredSpace) -> int:
    """The largest batch that is asked for."""
    options = {option.name: option.values for option in measured.space.options}
    sizes = options.get("batch_size", (measured.fixed.get("batch_size", 1),))
    return max(int(size) for size in sizes)


def _items(
    specs: tuple[TensorSpec, ...],
    items: int,
    data: Path | None,
    features: tuple[str, ...],
    rng: np.random.Generator,
) -> dict[str, Array]:
    if data is None:
        return random_inputs(specs, items, rng)
    inputs, _ = next(iter(open_rows(data, specs, features=features)))
    return repeated(inputs, items)


def _notes(outcome: Outcome) -> list[str]:
    """What a reader of the numbers must know."""
    notes = [f"{in_words(configuration)}: does not run: {why}" for configuration, why in outcome.failures]
    for name, why in _ABSENT.items():
        if name not in outcome.table.metrics:
            notes.append(f"no column {name}: {why}")
    if outcome.others > QUIET_CORES:
        notes.append(
            f"other programs kept up to {outcome.others:.1f} cores busy: these are the figures of a shared "
            "machine and their intervals the wider for it; measure again when it is quiet"
        )
    return notes


def _show(outcome: Outcome, out: Path) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("configuration", overflow="fold", min_width=24)
    shown = {name: column for name, column in _COLUMNS.items() if name in outcome.table.metrics}
    for heading, _ in shown.values():
        table.add_column(heading, justify="right")
    table.add_column("interval of p50", justify="right")
    for row, codes in enumerate(outcome.table.codes[:_SHOWN]):
        table.add_row(
            in_short(outcome.table.space, codes),
            *(f"{outcome.table.metrics[name][row] / unit:.4g}" for name, (_, unit) in shown.items()),
            _interval(outcome.table.metrics, row),
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for note in _notes(outcome):
        console.print(note, markup=False)
    count = f"{len(outcome.table)} configurations" + (
        f" (the first {_SHOWN} above)" if len(outcome.table) > _SHOWN else ""
    )
    console.print(f"wrote {out}: {count}", markup=False)


def _document(outcome: Outcome, out: Path) -> dict[str, Any]:
    table = outcome.table
    return {
        "table": str(out),
        "environment": dict(table.environment),
        "rows": [
            {
                "configuration": table.space.configuration(codes),
                "metrics": {name: float(values[row]) for name, values in table.metrics.items()},
            }
            for row, codes in enumerate(table.codes)
        ],
        "failures": [{"configuration": one, "reason": why} for one, why in outcome.failures],
        "notes": _notes(outcome),
    }


def _interval(metrics: Mapping[str, Array], row: int) -> str:
    """How far the median latency's interval reaches."""
    value, low, high = (metrics[f"latency_p50_s{end}"][row] for end in ("", "_low", "_high"))
    return f"-{1 - low / value:.0%} +{high / value - 1:.0%}"
