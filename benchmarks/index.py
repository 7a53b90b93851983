"""The index of stored partitions against the exact pass: what it finds, and from where on it pays.

Run it with `python -m benchmarks.index`. Stored are made-up domains, 20 partitions each; asked for
are fresh partitions of 20 of them. There is no bar: it is to tell when the index is worth it.
"""

from __future__ import annotations

import os

# One thread, so that the ratio is the method's and not the number of cores.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from sidecar.core.profile import BINS
from sidecar.core.tensors import Array
from sidecar.estimation.measures.divergence import matches
from sidecar.estimation.measures.index import PartitionIndex

STORED = (1_000, 10_000, 100_000, 1_000_000)
PARTITIONS = 20
VALUES = 4_000
TARGETS = 20
TABLES, HASHES = 16, 12
# By threshold the width of a bucket: the published one, for which wide buckets miss least, and
# about the farthest that two partitions of one source lie apart.
WIDTHS = {0.1: 1.5, 0.02: 0.8}
# Domains made at once: temporaries of 30 MB.
_DOMAINS = 2_000

T = TypeVar("T")


def main() -> int:
    """Prints one line a size and threshold; returns the exit code."""
    rng = np.random.default_rng(0)
    targets, everything = data(rng, max(STORED))
    print(f"{len(targets)} target partitions, 1 thread, {TABLES} tables of {HASHES} hashes")
    print(
        f"{'stored':>10}{'tau':>6}{'width':>7}{'matching':>10}{'build s':>9}{'exact s':>10}{'index s':>10}"
        f"{'ratio':>8}{'recall':>8}{'pays after':>14}"
    )
    for size in STORED:
        for tau in WIDTHS:
            line(everything[:size], targets, tau, rng)
    return 0


def line(stored: Array, targets: Array, tau: float, rng: np.random.Generator) -> None:
    """Compares the index with the exact pass and prints it."""
    build_s, index = timed(
        lambda: PartitionIndex(stored, tables=TABLES, hashes=HASHES, width=WIDTHS[tau], rng=rng)
    )
    runs = 1 if len(stored) >= max(STORED) else 3
    exact = [timed(lambda: matches(stored, targets, tau)) for _ in range(runs)]
    quick = [timed(lambda: index.matching(targets, tau)) for _ in range(runs)]
    exact_s, index_s = (
        statistics.median(seconds for seconds, _ in exact),
        statistics.median(seconds for seconds, _ in quick),
    )
    wanted = int(exact[0][1].sum())
    found = sum(len(numbers) for numbers in quick[0][1])
    rounds = f"{build_s / (exact_s - index_s):.0f} rounds" if exact_s > index_s else "never"
    print(
        f"{len(stored):>10,}{tau:>6}{WIDTHS[tau]:>7}{wanted / exact[0][1].size:>10.2%}{build_s:>9.3f}"
        f"{exact_s:>10.4f}{index_s:>10.4f}{exact_s / index_s:>7.1f}x{found / wanted:>8.3f}{rounds:>14}"
    )


def data(rng: np.random.Generator, stored: int) -> tuple[Array, Array]:
    """Target partitions, and stored ones whose first domains are the targets'."""
    domains = -(-stored // PARTITIONS)
    parts = np.empty((domains * PARTITIONS, BINS), dtype=np.int16)
    targets = np.empty((0, BINS), dtype=np.int16)
    for start in range(0, domains, _DOMAINS):
        rates = VALUES * shapes(rng, min(_DOMAINS, domains - start))
        if not start:
            targets = rng.poisson(rates[:TARGETS]).astype(np.int16)
        first = start * PARTITIONS
        parts[first : first + len(rates) * PARTITIONS] = rng.poisson(np.repeat(rates, PARTITIONS, axis=0))
    return targets, parts[:stored]


def shapes(rng: np.random.Generator, domains: int) -> Array:
    """The shares of domains' bins: mixtures of three bumps anywhere, [domains, BINS]."""
    middles, spreads = rng.random((domains, 3, 1)), rng.uniform(0.03, 0.25, (domains, 3, 1))
    weights = rng.dirichlet(np.ones(3), domains)[..., None] / spreads
    bins = (np.arange(BINS) + 0.5) / BINS
    density = (weights * np.exp(-(((bins - middles) / spreads) ** 2) / 2)).sum(axis=1)
    return np.asarray(density / density.sum(axis=1, keepdims=True))


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Runs once; seconds and the answer."""
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer


if __name__ == "__main__":
    sys.exit(main())
