"""A TCP port that is listened on, and the connections to it that are open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from sidecar.core.errors import UnavailableError

_BACKLOG: Final = 1024


class Closable(Protocol):
    """A connection, as far as closing it goes."""

    def drain(self) -> None:
        """Closes as soon as no call is open; at once if none is."""
        ...

    def abort(self) -> None:
        """Closes now, whatever is under way."""
        ...


class Acceptor:
    """Listens; whoever makes the connections tells it of each, by `opened` and `gone`."""

    def __init__(self, listen: str, key: str, accept: Callable[[], asyncio.Protocol]) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            listen: `host:port`; port 0 takes a free one.
            key: what the address is called in the configuration, for the message.
            accept: makes the protocol of a new connection.
        """
        self.opened_total = 0
        self._listen = listen
        self._key = key
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._connections: set[Closable] = set()
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
    def connections(self) -> int:
        """Returns how many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            UnavailableError: the address cannot be listened on.
        """
        host, port = host_and_port(self._listen)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._accept, host, port, backlog=_BACKLOG
            )
        except (OSError, UnicodeError) as error:
            raise UnavailableError(
                f"cannot listen on {self._listen}: {error}; stop what listens there, or change `{self._key}`"
            ) from error

    def drain(self) -> None:
        """Lets every connection end with its last call; new ones are taken."""
        for connection in list(self._connections):
            connection.drain()

    async def close(self, grace_s: float) -> None:
        """Stops listening, lets open calls end, closes; without a start, or again, does nothing.

        Args:
            grace_s: after this long what is still open is cut off.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._all_gone.wait()
        for connection in list(self._connections):
            connection.abort()
        await self._all_gone.wait()
        await server.wait_closed()

    def opened(self, connection: Closable) -> None:
        """A client connected."""
        self.opened_total += 1
        self._connections.add(connection)
        self._all_gone.clear()
        if self._server is None:
            connection.drain()

    def gone(self, connection: Closable) -> None:
        """Nothing of the connection is left."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()


def host_and_port(address: str) -> tuple[str, int]:
    """Splits `host:port`; brackets around IPv6 are taken off."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
