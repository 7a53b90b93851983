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
# Heading, and its unit in the metric's.
_COLUMNS: Final = {
    "latency_p50_s": ("p50 ms", 1e-3),
    "latency_p99_s": ("p99 ms", 1e-3),
    "throughput_per_s": ("items/s", 1.0),
    "memory_bytes": ("MiB", float(1 << 20)),
    "energy_j": ("J/request", 1.0),
}
_ABSENT: Final = {
    "memory_bytes": "a server does not tell how much its model takes",
    "energy_j": "this machine has no energy counter that this process may read (RAPL, NVML)",
}


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is measured.

    Attributes:
        environment: columns of the table that tell it from others.
        runner: runs it, while it is open.
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
    """Measures a model in chosen configurations; cut off, the same command goes on where it stopped.

    Args:
        model: the ONNX file; with --v2 the model's name on that server.
        space: YAML file with `options` to vary, and where wanted `fixed` ones and `constraints`.
        budget: configurations to measure, at most: the defaults first, then far apart from each other.
        out: the table to write, .parquet.
        v2: HOST:PORT of a V2 server's gRPC port, Triton or another, that runs the model.
        data: items to send: .npz, .parquet or .csv; default: random ones.
        features: columns or arrays of `data` to use, comma-separated; default: all.
        workload: what the items are called in the table; default: the data file's name, or `random`.
        hardware: what the machine is called in the table; default: this machine's processor.
        rounds: observations of each configuration, 5 at least.
        seconds: of timed requests in each observation, at least.
        requests: timed requests in each observation, at least.
        seed: of the choice and the order of configurations, and of random items.
        format: how what was found is printed.
    """
    if not out.parent.is_dir():
        raise InvalidError(f"--out: there is no folder {out.parent}: make it first")
    for name, given, least in (
        ("budget", budget, 1),
        ("rounds", rounds, LEAST_ROUNDS),
        ("requests", requests, 1),
    ):
        if given < least:
            raise InvalidError(f"--{name}: {given} is too few; {least} is the least")
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
