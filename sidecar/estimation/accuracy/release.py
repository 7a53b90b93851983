"""What this release learned; written by `python -m benchmarks.selection --learn`."""

from __future__ import annotations

from typing import Final

from sidecar.estimation.accuracy.learned import Learned

RELEASE: Final = Learned(
    level=(0, 0, 0, 0, 0, 0),
    spread=1,
    level_error=(0, 0, 0, 0, 0, 0),
    own_error=(0, 0, 0),
    widening=1,
    validated_widening=1,
    sure=0.9,
)
