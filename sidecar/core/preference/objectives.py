"""The objectives that a ranking can optimise; a name ends with its unit."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final

ACCURACY: Final = "accuracy"
# 1 means that more is better, -1 that less is. Candidates may declare further objectives; the caller gives
# their directions.
DIRECTIONS: Final = MappingProxyType(
    {
        ACCURACY: 1,
        "latency_p50_s": -1,
        "latency_p99_s": -1,
        "throughput_per_s": 1,
        "energy_j": -1,
        "memory_bytes": -1,
    }
)
# The possible values of each objective. No cost is 0, so a limit of 0 is a mistake in the unit.
RANGES: Final = MappingProxyType({name: (0.0, 1.0 if name == ACCURACY else math.inf) for name in DIRECTIONS})
