"""What one round of one configuration yields."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_CORES: Final = os.cpu_count() or 1
# What an instrument cannot tell apart, by metric, in its unit. Linux counts a process's pages on each core
# and adds them up in steps of 32 or twice the cores (lib/percpu_counter.c), so what
# /proc/self/status says may be off by so much for each.
RESOLUTIONS: Final = {"memory_bytes": float(_CORES * max(32, 2 * _CORES) * os.sysconf("SC_PAGE_SIZE"))}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is run for one observation.

    Attributes:
        seconds: least duration of the timed requests.
        requests: timed requests, at least; under 100 there is no 99th percentile.
        warm_up_s: least duration of the requests before them, which are not timed.
    """

    seconds: float = 0.3
    requests: int = 100
    warm_up_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Observation:
    """One configuration in one round.

    Attributes:
        metrics: values by name; the unit ends the name.
        others: cores that other programs kept busy meanwhile.
    """

    metrics: dict[str, float]
    others: float


def timings(latencies_s: Sequence[float], elapsed_s: float, items: int) -> dict[str, float]:
    """The metrics of a run of equal requests.

    Args:
        latencies_s: one a request.
        elapsed_s: from the first request's start to the last one's end.
        items: in each request.
    """
    p50, p99 = np.quantile(latencies_s, (0.5, 0.99), method="higher").tolist()
    return {
        "latency_p50_s": p50,
        "latency_p99_s": p99,
        "throughput_per_s": len(latencies_s) * items / elapsed_s,
    }
