"""Where a capture listens, and what it went through that no endpoint's accounting holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class CaptureKey(NamedTuple):
    """Where a capture listens.

    Attributes:
        way: the capture's key in the configuration.
        listen: the configured address, or the path of the HTTP port.
    """

    way: str
    listen: str

    @property
    def setting(self) -> str:
        """What the address is called in the configuration, for a message."""
        return f"{self.way}.listen"


@dataclass(frozen=True, slots=True)
class CaptureCounts:
    """Counts of one listening address or path; None where the capture has no such thing.

    Attributes:
        unwatched_calls: calls for models that no endpoint watches here.
        unreadable_calls: calls whose model could not be told: not what the protocol allows, in an unknown
            coding, ended too early, or too many at once.
        connections: clients connected now.
        connections_total: clients that ever connected.
        unreadable_connections: connections that were not read, or not to the end: something else than
            the capture's version of HTTP, or malformed.
        upstream_failures: clients turned away because the upstream took no connection.
        waiting_calls: calls that were let go because their sender would have waited for an answer.
        lost_calls: calls that Envoy says it could not copy.
    """

    unwatched_calls: int
    unreadable_calls: int
    connections: int | None = None
    connections_total: int | None = None
    unreadable_connections: int | None = None
    upstream_failures: int | None = None
    waiting_calls: int | None = None
    lost_calls: int | None = None
