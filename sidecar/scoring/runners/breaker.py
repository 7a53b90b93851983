"""A circuit breaker: it stops asking a model that fails repeatedly, and retries it with growing pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# Failures in a row that open the breaker: a single bad batch, or the moment of a restart, is not an outage.
_FEW: Final = 3
# The first pause suits a server that restarts; the last pause does not burden a server that is down.
_FIRST_PAUSE_S: Final = 0.5
_LAST_PAUSE_S: Final = 5.0


class Breaker:
    """Opens after a few failures in a row; an answer closes it.

    While the breaker is open it admits a single try at a time after each pause, and a few failed tries make
    the next pause twice as long.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.open = False
        self._clock = clock
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._closed_to = 0.0

    def admits(self, under_way: int) -> bool:
        """Tells whether the model may be asked now; `under_way` batches are not answered yet."""
        return not self.open or (not under_way and self._clock() >= self._closed_to)

    def failed(self) -> None:
        """Notes a failure."""
        self._failures += 1
        if self._failures < _FEW:
            return
        self.open = True
        self._failures = 0
        self._closed_to = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LAST_PAUSE_S)

    def succeeded(self) -> None:
        """Notes an answer."""
        self.open = False
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
