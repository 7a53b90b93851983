"""What every running capture is to those who start, watch and stop it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from http import HTTPStatus
from typing import Protocol, runtime_checkable

from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.intake import Intake


class Listener(Protocol):
    """A running capture. `start`, then `close`; close is safe without start, and a second time."""

    @property
    def address(self) -> str:
        """Where it can be reached."""
        ...

    @property
    def counts(self) -> CaptureCounts:
        """Returns the counts up to now."""
        ...

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by model name."""
        ...

    async def start(self) -> None:
        """Begins to listen, or UnavailableError."""
        ...

    async def close(self, grace_s: float) -> None:
        """Ends within the grace; again does nothing."""
        ...


@runtime_checkable
class EventListener(Listener, Protocol):
    """A capture that listens at a path of the HTTP port."""

    async def take(self, headers: Mapping[str, str], body: AsyncIterable[bytes]) -> HTTPStatus:
        """Takes one event that was posted to its path.

        Args:
            headers: of the HTTP request, names in lower case.
            body: its pieces; to be read to the end.

        Returns:
            what the sender is answered.
        """
        ...
