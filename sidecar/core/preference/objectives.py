"""What can count in a ranking, by name; a name ends with its unit."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final

ACCURACY: Final = "accuracy"
# 1: more is better, -1: less is. The candidates may declare others, whose direction the caller says.
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
# What each can be at all. No cost is 0: a limit there is a slip of the unit.
RANGES: Final = MappingProxyType({name: (0.0, 1.0 if name == ACCURACY else math.inf) for name in DIRECTIONS})
