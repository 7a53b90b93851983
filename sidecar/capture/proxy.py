"""The proxy: a transparent TCP relay that reads along.

Bytes pass unchanged, so every method, stream, deadline, cancellation, status, metadata and compression
arrives as sent, and so do HTTP/1 and TLS, which nobody reads along. Nothing is terminated here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.capture.intake import Intake
from sidecar.capture.messages import Memory
from sidecar.capture.observer import ConnectionObserver
from sidecar.capture.relay import Connection
from sidecar.capture.watchlist import Watchlist
from sidecar.domain.errors import UnavailableError

_BACKLOG: Final = 1024
_MEMORY_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class ProxyCounts:
    """What one proxy went through.

    Attributes:
        connections: clients connected now.
        connections_total: clients that ever connected.
        upstream_failures: clients turned away because the upstream took no connection.
        unreadable_connections: connections that were not read along, or not to the end: something else
            than HTTP/2, or malformed.
        unwatched_calls: ModelInfer calls for models that no endpoint watches here.
    """

    connections: int
    connections_total: int
    upstream_failures: int
    unreadable_connections: int
    unwatched_calls: int


class Proxy:
    """Listens for clients and connects each of them to the upstream."""

    def __init__(
        self,
        listen: str,
        upstream: str,
        intakes: Mapping[str, Intake],
        *,
        memory_bytes: int = _MEMORY_BYTES,
    ) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            listen: `host:port`; port 0 takes a free one.
            upstream: `host:port` of the model server.
            intakes: by the model name in the requests.
            memory_bytes: that all calls being gathered may hold together.
        """
        self._connections_total = 0
        self._upstream_failures = 0
        self._unreadable_connections = 0
        self._listen = listen
        self._upstream = _host_and_port(upstream)
        self._watchlist = Watchlist(intakes)
        self._memory = Memory(memory_bytes)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    @property
    def address(self) -> str:
        """`host:port` as it listens; the configured one while it does not."""
        if self._server is None:
            return self._listen
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def counts(self) -> ProxyCounts:
        """The counts up to now."""
        return ProxyCounts(
            connections=len(self._connections),
            connections_total=self._connections_total,
            upstream_failures=self._upstream_failures,
            unreadable_connections=self._unreadable_connections,
            unwatched_calls=self._watchlist.unwatched_calls,
        )

    def redirect(self, upstream: str) -> None:
        """Leads new connections to another upstream; the old ones end with their last call."""
        self._upstream = _host_and_port(upstream)
        for connection in list(self._connections):
            connection.drain()

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by model name; calls under way keep theirs."""
        self._watchlist.watch(intakes)

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            UnavailableError: the address cannot be listened on.
        """
        host, port = _host_and_port(self._listen)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: self._connection().client, host, port, backlog=_BACKLOG
            )
        except (OSError, UnicodeError) as error:
            raise UnavailableError(
                f"cannot listen on {self._listen}: {error}; end what listens there, or change `proxy.listen`"
            ) from error

    async def close(self, grace_s: float) -> None:
        """Stops listening, lets open calls end, closes; without a start, or again, does nothing.

        Args:
            grace_s: after this long what is still open is cut off.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._all_gone.wait()
        for connection in list(self._connections):
            connection.abort()
        await self._all_gone.wait()
        await server.wait_closed()

    def on_open(self, connection: Connection) -> None:
        """Of `ConnectionEvents`."""
        self._connections_total += 1
        self._connections.add(connection)
        self._all_gone.clear()
        if self._server is None:
            connection.drain()

    def on_upstream_failure(self) -> None:
        """Of `ConnectionEvents`."""
        self._upstream_failures += 1

    def on_unreadable(self) -> None:
        """Of `ConnectionEvents`."""
        self._unreadable_connections += 1

    def on_gone(self, connection: Connection) -> None:
        """Of `ConnectionEvents`."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def _connection(self) -> Connection:
        return Connection(*self._upstream, ConnectionObserver(self._watchlist, self._memory), self)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
