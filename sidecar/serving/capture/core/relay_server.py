"""A transparent TCP relay that reads along: the server of the captures that clients connect to.

Bytes pass unchanged, so every method, stream, deadline, cancellation, status, metadata and compression
arrives as sent, and so does what the observer cannot read, as TLS. Nothing is terminated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sidecar.serving.capture.core.accepting import Acceptor, host_and_port
from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import MEMORY_BYTES, Memory
from sidecar.serving.capture.core.relay import Connection, Observer
from sidecar.serving.capture.core.watchlist import Watchlist


class RelayServer:
    """Listens for clients and connects each of them to the upstream."""

    def __init__(
        self,
        listen: str,
        upstream: str,
        intakes: Mapping[str, Intake],
        *,
        key: str,
        observe: Callable[[Watchlist, Memory], Observer],
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            listen: `host:port`; port 0 takes a free one.
            upstream: `host:port` of the model server.
            intakes: by the model name in the requests.
            key: what `listen` is called in the configuration, for the message.
            observe: makes what reads along with a connection.
            memory_bytes: that all calls being gathered may hold together.
        """
        self._upstream_failures = 0
        self._unreadable_connections = 0
        self._upstream = host_and_port(upstream)
        self._watchlist = Watchlist(intakes)
        self._memory = Memory(memory_bytes)
        self._observe = observe
        self._acceptor = Acceptor(listen, key, lambda: self._connection().client)

    @property
    def address(self) -> str:
        """`host:port` as it listens; the configured one while it does not."""
        return self._acceptor.address

    @property
    def counts(self) -> CaptureCounts:
        """Returns the counts up to now."""
        return CaptureCounts(
            unwatched_calls=self._watchlist.unwatched_calls,
            unreadable_calls=self._watchlist.unreadable_calls,
            connections=self._acceptor.connections,
            connections_total=self._acceptor.opened_total,
            unreadable_connections=self._unreadable_connections,
            upstream_failures=self._upstream_failures,
        )

    def redirect(self, upstream: str) -> None:
        """Leads new connections to another upstream; the old ones end with their last call.

        Nothing happens where it leads to that upstream already.
        """
        if host_and_port(upstream) != self._upstream:
            self._upstream = host_and_port(upstream)
            self._acceptor.drain()

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by model name; calls under way keep theirs."""
        self._watchlist.watch(intakes)

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            UnavailableError: the address cannot be listened on.
        """
        await self._acceptor.start()

    async def close(self, grace_s: float) -> None:
        """Stops listening, lets open calls end, closes; without a start, or again, does nothing.

        Args:
            grace_s: after this long what is still open is cut off.
        """
        await self._acceptor.close(grace_s)

    def on_open(self, connection: Connection) -> None:
        """Implements `ConnectionEvents`."""
        self._acceptor.opened(connection)

    def on_upstream_failure(self) -> None:
        """Implements `ConnectionEvents`."""
        self._upstream_failures += 1

    def on_unreadable(self) -> None:
        """Implements `ConnectionEvents`."""
        self._unreadable_connections += 1

    def on_gone(self, connection: Connection) -> None:
        """Implements `ConnectionEvents`."""
        self._acceptor.gone(connection)

    def _connection(self) -> Connection:
        return Connection(*self._upstream, self._observe(self._watchlist, self._memory), self)
