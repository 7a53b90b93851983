"""Measures a real ONNX model here: does a second measurement agree, does one thread setting tell another?

Run it with `python -m benchmarks.performance_measure`; it exits 1 when a bar is missed. Other programs on the
machine make the intervals wide, which the printout says; run it where it is quiet.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.table import BOUNDS, PerformanceTable
from sidecar.tools.records.performance_table import read_tables

METRIC = "latency_p50_s"
# Two layers of 512: a request takes long enough to be timed, and the weights do not fit into a core's cache.
LAYERS = (512, 512)
OPTIONS = {
    "batch_size": [1, 2, 4, 8, 16, 32],
    "graph_optimization": ["disable", "all"],
    "memory_arena": [False, True],
    "spinning": [False, True],
}
AGREEING = 16
TRANSFERRED = 30
MEASURED = 10
SEEDS = 10
LEAST_AGREEMENT = 0.9
MOST_ERROR = 0.15


def main() -> int:
    """Prints both findings; returns the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "digits.onnx"
        images, labels = load_digits(return_X_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ten rounds train it well enough to be a real model
            trained = MLPClassifier(LAYERS, max_iter=10, random_state=0).fit(images, labels)
        exported = to_onnx(trained, images[:1].astype(np.float32), options={"zipmap": False})
        model.write_bytes(exported.SerializeToString())
        agrees = agreement(model, folder)
        transfers = transfer(model, folder)
    return 0 if agrees and transfers else 1


def agreement(model: Path, folder: Path) -> bool:
    """Measures twice over all options, threads included; whether the two agree often enough."""
    space = {"options": {"intra_op_threads": [1, 2], **OPTIONS}}
    first, second = (measured(model, space, folder / f"{run}.parquet", AGREEING) for run in ("one", "two"))
    print(f"two measurements of {AGREEING} configurations: share of values in the other's interval")
    print(f"{'metric':<20}{'in interval':>12}{'intervals meet':>16}{'median width':>14}{'median apart':>14}")
    shares = {}
    for name in (one for one in first.metrics if not one.endswith(BOUNDS)):
        value, other = first.metrics[name], second.metrics[name]
        low, high = ends(first, name)
        other_low, other_high = ends(second, name)
        inside = np.concatenate([within(other, low, high), within(value, other_low, other_high)])
        meet = (low <= other_high) & (other_low <= high)
        shares[name] = inside.mean()
        width, apart = np.median(high / low - 1), np.median(np.abs(other / value - 1))
        print(f"{name:<20}{shares[name]:>12.1%}{meet.mean():>16.1%}{width:>14.1%}{apart:>14.1%}")
    met = bool(shares[METRIC] >= LEAST_AGREEMENT)
    print(f"bar: {METRIC}, {LEAST_AGREEMENT:.0%} in interval: {'met' if met else 'MISSED'}\n")
    return met


def transfer(model: Path, folder: Path) -> bool:
    """Predicts two threads from a table of one and a few measurements of two; whether well enough."""
    tables = [
        measured(
            model,
            {"options": OPTIONS, "fixed": {"intra_op_threads": threads}},
            folder / f"threads-{threads}.parquet",
            TRANSFERRED,
        )
        for threads in (1, 2)
    ]
    print(f"{MEASURED} measurements tell the other {TRANSFERRED - MEASURED} configurations, {SEEDS} draws")
    print(f"{'threads':<12}{'median MAPE':>12}{'direct':>10}{'coverage':>10}")
    errors = []
    for source, target in (tables, tables[::-1]):
        learned = Source.learn(source, METRIC)
        found = np.array([transferred(source, learned, target, seed) for seed in range(SEEDS)])
        error, direct, coverage = np.median(found[:, 0]), np.median(found[:, 1]), found[:, 2].mean()
        errors.append(error)
        way = " -> ".join(table.environment["intra_op_threads"] for table in (source, target))
        print(f"{way:<12}{error:>12.1%}{direct:>10.1%}{coverage:>10.1%}")
    met = bool(max(errors) <= MOST_ERROR)
    print(f"bar: MAPE of {METRIC}, {MOST_ERROR:.0%}: {'met' if met else 'MISSED'}")
    return met


def transferred(
    source: PerformanceTable, learned: Source, target: PerformanceTable, seed: int
) -> tuple[float, float, float]:
    """Error of the chooser and of taking the source's value on rows that were not measured; coverage."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(target))
    known, held_out = rows[:MEASURED], rows[MEASURED:]
    model = fit([learned], target.rows(known), METRIC)
    predicted = model.predict(target.codes[held_out])
    truth = target.metrics[METRIC][held_out]
    places = {row.tobytes(): place for place, row in enumerate(source.codes)}
    direct = source.metrics[METRIC][[places[row.tobytes()] for row in target.codes[held_out]]]
    return (
        float(np.mean(np.abs(predicted.value / truth - 1))),
        float(np.mean(np.abs(direct / truth - 1))),
        float(within(truth, predicted.low, predicted.high).mean()),
    )


def measured(model: Path, space: Mapping[str, object], out: Path, budget: int) -> PerformanceTable:
    """Runs `pilotfish perf measure`; prints how long it took and what disturbed it."""
    described = out.with_suffix(".yaml")
    described.write_text(yaml.safe_dump(dict(space)))
    command = [str(Path(sysconfig.get_path("scripts"), "pilotfish")), "perf", "measure"]
    options = {"model": model, "space": described, "budget": budget, "out": out}
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *(f"--{name}={value}" for name, value in options.items())],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(f"{out.stem}: {budget} configurations in {time.perf_counter() - start:.0f} s")
    for line in done.stdout.splitlines():
        if line.startswith("other programs"):
            print(f"{out.stem}: {line}")
    (table,) = read_tables(out)
    return table


def ends(table: PerformanceTable, name: str) -> tuple[Floats, Floats]:
    """Both ends of a metric's intervals."""
    return table.metrics[f"{name}_low"], table.metrics[f"{name}_high"]


def within(values: Floats, low: Floats, high: Floats) -> Array:
    """Which values lie between; bool, their shape."""
    return (low <= values) & (values <= high)


if __name__ == "__main__":
    sys.exit(main())
