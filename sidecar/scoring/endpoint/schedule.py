"""When an endpoint's round is due, which items it covers, and how long it waits for servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# Share of the time between two rounds that a round waits for answers from servers.
_PATIENCE: Final = 0.5


class Schedule:
    """A round begins when it is due, and ends when the candidates have answered the items that it covers.

    Attributes:
        goal: number of the first item that the round under way leaves to the next round; None between rounds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Makes a round due at once.

        Args:
            clock: seconds, monotonic.
        """
        self.goal: int | None = None
        self._clock = clock
        self._due_at = clock()
        self._patient_to = 0.0

    @property
    def due(self) -> bool:
        """Whether a round is due, or under way."""
        return self._clock() >= self._due_at

    @property
    def patient(self) -> bool:
        """Whether the round under way still waits for servers."""
        return self._clock() < self._patient_to

    def due_in(self) -> float:
        """Returns the seconds until a round is due, or until a round under way stops waiting for servers."""
        return max((self._due_at if self.goal is None else self._patient_to) - self._clock(), 0.0)

    def hasten(self) -> None:
        """Makes a round due now."""
        self._due_at = self._clock()

    def abandon(self) -> None:
        """Ends the round under way without a result."""
        self.goal = None

    def begin(self, goal: int, every_s: float) -> None:
        """Begins a round over the items before `goal`."""
        self.goal = goal
        self._patient_to = self._clock() + every_s * _PATIENCE

    def end(self, began_s: float, every_s: float) -> None:
        """Ends the round under way; the next round is due `every_s` seconds after `began_s` on the clock."""
        self.goal = None
        self._due_at = began_s + every_s
