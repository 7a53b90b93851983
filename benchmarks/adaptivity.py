"""Adaptivity against plain implementations of its published definition: same counts, how much faster.

Run it with `python -m benchmarks.adaptivity`; it exits 1 when a count differs or the bar is missed.
"""

from __future__ import annotations

import os

# One thread, so that the ratio is the method's and not the number of cores.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from sidecar.core.profile import BINS
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.adaptivity import REFERENCE_TAU
from sidecar.estimation.measures.divergence import matches
from sidecar.estimation.measures.histograms import reference_counts

CANDIDATES = 50
PARTITIONS = 20
ROWS = 500
FEATURES = 8
REPETITIONS = 5
BAR = 100.0
GROWTH = (10, 100, 1_000, 10_000)


def main() -> int:
    """Prints the comparison and the growth; returns the exit code."""
    rng = np.random.default_rng(0)
    source_rows = [partition(rng, candidate) for candidate in range(CANDIDATES) for _ in range(PARTITIONS)]
    target_rows = [partition(rng, CANDIDATES // 3) for _ in range(PARTITIONS)]
    sources = np.stack([reference_counts(rows) for rows in source_rows])
    targets = np.stack([reference_counts(rows) for rows in target_rows])
    times: dict[str, list[float]] = {"pilotfish": [], "plain, binned once": []}
    counts: dict[str, Array] = {}
    for _ in range(REPETITIONS):
        for name, run in (
            ("pilotfish", lambda: count(sources, targets)),
            ("plain, binned once", lambda: plain_binned_once(sources, targets)),
        ):
            seconds, counts[name] = timed(run)
            times[name].append(seconds)
    published = "plain, as published"
    seconds, counts[published] = timed(lambda: plain_as_published(source_rows, target_rows))
    times[published] = [seconds]

    ours = statistics.median(times["pilotfish"])
    print(
        f"{CANDIDATES} candidates x {PARTITIONS} source partitions, {PARTITIONS} target partitions, 1 thread"
    )
    print(f"{'implementation':<22}{'median s':>12}{'ratio':>10}{'runs':>6}  counts")
    for name, measured in times.items():
        median = statistics.median(measured)
        same = "equal" if np.array_equal(counts[name], counts["pilotfish"]) else "DIFFER"
        print(f"{name:<22}{median:>12.5f}{median / ours:>9.0f}x{len(measured):>6}  {same}")
    ratio = statistics.median(times["plain, binned once"]) / ours
    equal = all(np.array_equal(found, counts["pilotfish"]) for found in counts.values())
    print(f"bar: {BAR:.0f}x against the plain version that bins once: {'met' if ratio >= BAR else 'MISSED'}")
    growth(rng, sources, targets)
    return 0 if equal and ratio >= BAR else 1


def growth(rng: np.random.Generator, sources: Array, targets: Array) -> None:
    """Prints time and peak memory for ever more candidates."""
    print(f"\n{'candidates':>10}{'pairs':>12}{'median s':>12}{'us/candidate':>14}{'peak MiB':>10}")
    for candidates in GROWTH:
        chosen = rng.integers(CANDIDATES, size=candidates)
        rows = (chosen[:, None] * PARTITIONS + np.arange(PARTITIONS)).ravel()
        many = sources.astype(np.int32)[rows]
        seconds = statistics.median(timed(lambda many=many: count(many, targets))[0] for _ in range(3))  # type: ignore[misc]
        pairs = len(many) * len(targets)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{candidates:>10,}{pairs:>12,}{seconds:>12.5f}{seconds / candidates * 1e6:>14.1f}{peak:>10.0f}"
        )


def partition(rng: np.random.Generator, candidate: int) -> Floats:
    """Rows of a domain; domains differ in shape, as self-scaled histograms see nothing else."""
    share = candidate / CANDIDATES
    rows = rng.gamma(0.5 + 8 * share, size=(ROWS, FEATURES))
    return np.where(rng.random(rows.shape) < share / 2, rng.uniform(0, rows.max(), rows.shape), rows)


def count(sources: Array, targets: Array) -> Array:
    """Pilotfish: matching pairs of each candidate."""
    found = matches(sources, targets, REFERENCE_TAU)
    return np.asarray(found.reshape(-1, PARTITIONS * len(targets)).sum(axis=1))


def plain_binned_once(sources: Array, targets: Array) -> Array:
    """The definition, pair by pair, with every partition binned beforehand."""
    p = sources / sources.sum(axis=1, keepdims=True)
    q = targets / targets.sum(axis=1, keepdims=True)
    counts = np.zeros(len(p) // PARTITIONS, dtype=np.int64)
    for i, source in enumerate(p):
        for target in q:
            counts[i // PARTITIONS] += plain_jsd(source, target) < REFERENCE_TAU
    return counts


def plain_as_published(source_rows: list[Floats], target_rows: list[Floats]) -> Array:
    """The definition as it reads: each comparison scales and bins both partitions."""
    counts = np.zeros(len(source_rows) // PARTITIONS, dtype=np.int64)
    for i, source in enumerate(source_rows):
        for target in target_rows:
            counts[i // PARTITIONS] += plain_jsd(plain_shares(source), plain_shares(target)) < REFERENCE_TAU
    return counts


def plain_shares(rows: Floats) -> Floats:
    """Scales a partition to [0, 1] by itself and bins it."""
    unit = (rows - rows.min()) / (rows.max() - rows.min())
    counts = np.histogram(unit, bins=BINS, range=(0, 1))[0]
    return np.asarray(counts / counts.sum())


def plain_jsd(p: Floats, q: Floats) -> float:
    """Jensen-Shannon divergence by its definition, nats."""
    middle = (p + q) / 2
    in_p, in_q = p > 0, q > 0
    left = np.sum(p[in_p] * np.log(p[in_p] / middle[in_p]))
    right = np.sum(q[in_q] * np.log(q[in_q] / middle[in_q]))
    return float(left + right) / 2


def timed(run: Callable[[], Array]) -> tuple[float, Array]:
    """Runs once; seconds and the answer."""
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer


if __name__ == "__main__":
    sys.exit(main())
