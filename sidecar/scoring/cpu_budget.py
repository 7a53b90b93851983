"""Keeps the process's CPU time within a share of one core."""

from __future__ import annotations

from collections.abc import Callable

# A smaller debt may grow before it is paid. Reading the clock must not use up the budget, and many short
# stretches of work disturb a model server on the same cores more than a single long stretch.
_SLACK_S = 0.02


class CpuBudget:
    """Keeps a debt of wall time: after each second of CPU time, the next work begins 1 / share seconds later.

    Idle time is not saved up, so the share holds over every stretch of work, not only on average.
    """

    def __init__(self, share: float, *, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        self._share = share
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._cpu_seen = cpu_clock()
        self._free_at = clock()

    def wait_s(self) -> float:
        """Charges the CPU time since the last call and returns the seconds until work may go on."""
        now, cpu = self._clock(), self._cpu_clock()
        self._free_at = (
            max(self._free_at, now - (cpu - self._cpu_seen)) + (cpu - self._cpu_seen) / self._share
        )
        self._cpu_seen = cpu
        debt = self._free_at - now
        return debt if debt > _SLACK_S else 0.0
