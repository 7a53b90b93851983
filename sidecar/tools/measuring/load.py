"""What other programs did meanwhile, as the Linux kernel counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# Columns of the first line of /proc/stat: all that is neither idle (3) nor waits for a disk (4) was taken
# by someone; steal (7) by other machines on this host. Guest time (8, 9) is counted in user time already.
_IDLE: Final = (3, 4)
_COUNTED: Final = 8


class OtherPrograms:
    """Counts the cores that others kept busy since it was made."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._stat = root / "proc/stat"
        self._started = time.monotonic()
        self._taken = self._others_s()

    def cores(self) -> float:
        """Cores that were busy with other than this process since then, on average; 0 where nothing tells."""
        elapsed = time.monotonic() - self._started
        return max(0.0, (self._others_s() - self._taken) / elapsed)

    def _others_s(self) -> float:
        try:
            fields = self._stat.read_text().split("\n", 1)[0].split()[1 : 1 + _COUNTED]
        except OSError:
            return 0.0
        busy = sum(int(ticks) for place, ticks in enumerate(fields) if place not in _IDLE)
        return busy / _TICKS_PER_S - time.process_time()
