"""Limits the load that all candidates together put on one model server."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.tensors import Array


class ServerBudgets:
    """The limits, which are the same for every server, and one budget a server. Not safe for threads.

    Attributes:
        in_flight: greatest number of batches under way at a server; None sets no limit beyond the
            candidates'.
        bytes_per_second: greatest mean rate of tensor bytes that are sent to a server; None sets no limit.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.in_flight: int | None = None
        self.bytes_per_second: float | None = None
        self._clock = clock
        self._servers: dict[str, ServerBudget] = {}

    def of(self, address: str) -> ServerBudget:
        """Returns the budget of a server; it is the same object for all candidates of the server."""
        return self._servers.setdefault(address, ServerBudget(self, self._clock))


class ServerBudget:
    """The load on one server. A batch is never cut; a rate that it exceeds is made up by waiting."""

    def __init__(self, bounds: ServerBudgets, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._under_way = 0
        self._free_at = clock()

    def admits(self) -> bool:
        """Tells whether a batch may be sent now."""
        most = self._bounds.in_flight
        return (most is None or self._under_way < most) and not self.wait_s()

    def wait_s(self) -> float:
        """Returns the seconds until the mean rate of sent bytes is within its limit."""
        if self._bounds.bytes_per_second is None:
            return 0.0
        return max(self._free_at - self._clock(), 0.0)

    def began(self, size_bytes: int) -> None:
        """Notes that a batch was sent."""
        self._under_way += 1
        if self._bounds.bytes_per_second is not None:
            self._free_at = max(self._free_at, self._clock()) + size_bytes / self._bounds.bytes_per_second

    def ended(self) -> None:
        """Notes that a batch was answered, or will never be answered."""
        self._under_way -= 1


def size_bytes(arrays: Iterable[Array]) -> int:
    """Returns the bytes of tensors' contents on the wire."""
    return sum(sum(map(len, array.flat)) if array.dtype == object else array.nbytes for array in arrays)
