"""Keeps what all candidates together ask of one model server within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.tensors import Array


class ServerBudgets:
    """The bounds, which hold for each server, and what is asked of each. Not safe for threads.

    Attributes:
        in_flight: batches under way at a server, at most; None: as many as its candidates may have.
        bytes_per_second: of requests' tensors to a server, on average; None: any number.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.in_flight: int | None = None
        self.bytes_per_second: float | None = None
        self._clock = clock
        self._servers: dict[str, ServerBudget] = {}

    def of(self, address: str) -> ServerBudget:
        """The one budget of a server."""
        return self._servers.setdefault(address, ServerBudget(self, self._clock))


class ServerBudget:
    """What is asked of one server. A batch is never cut: what it takes is paid for afterwards."""

    def __init__(self, bounds: ServerBudgets, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._under_way = 0
        self._free_at = clock()

    def admits(self) -> bool:
        """Whether a batch may be sent now."""
        most = self._bounds.in_flight
        return (most is None or self._under_way < most) and not self.wait_s()

    def wait_s(self) -> float:
        """Seconds until the bytes that were sent are paid for."""
        if self._bounds.bytes_per_second is None:
            return 0.0
        return max(self._free_at - self._clock(), 0.0)

    def began(self, size_bytes: int) -> None:
        """A batch is on its way."""
        self._under_way += 1
        if self._bounds.bytes_per_second is not None:
            self._free_at = max(self._free_at, self._clock()) + size_bytes / self._bounds.bytes_per_second

    def ended(self) -> None:
        """A batch was answered, or will never be."""
        self._under_way -= 1


def size_bytes(arrays: Iterable[Array]) -> int:
    """What tensors take on the wire, without their lengths."""
    return sum(sum(map(len, array.flat)) if array.dtype == object else array.nbytes for array in arrays)
