"""Leaves a model alone that fails again and again, and tries it with growing pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# One odd batch, or the moment of a restart, is no outage.
_FEW: Final = 3
# Soon enough for a server that restarts; seldom enough not to burden one that is down.
_FIRST_PAUSE_S: Final = 0.5
_LAST_PAUSE_S: Final = 5.0


class Breaker:
    """Opens after a few failures in a row; an answer closes it.

    While it is open one try at a time is let through after a pause, and a few failed tries make the next
    pause twice as long.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.open = False
        self._clock = clock
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._closed_to = 0.0

    def admits(self, under_way: int) -> bool:
        """Whether the model may be asked now, with so many questions under way."""
        return not self.open or (not under_way and self._clock() >= self._closed_to)

    def failed(self) -> None:
        """Takes a failure."""
        self._failures += 1
        if self._failures < _FEW:
            return
        self.open = True
        self._failures = 0
        self._closed_to = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LAST_PAUSE_S)

    def succeeded(self) -> None:
        """Takes an answer."""
        self.open = False
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
