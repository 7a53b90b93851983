"""One relayed connection: client and upstream, joined byte for byte.

A chunk is written to the other side before the observer sees it. Backpressure and half-close pass
through; a side that breaks breaks the other. asyncio sets TCP_NODELAY on both sockets.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Protocol, cast

from sidecar.wire.reasons import DropReason

_CONNECT_TIMEOUT_S: Final = 10.0


class Observer(Protocol):
    """What reads along. Whatever it raises ends that, and nothing else."""

    @property
    def open_calls(self) -> int:
        """Calls of any method that have not ended."""
        ...

    def hear_client(self, chunk: bytes) -> None:
        """Reads what the client sent; nothing at its end."""
        ...

    def hear_server(self, chunk: bytes) -> None:
        """Reads what the model server sent; nothing at its end."""
        ...

    def close(self, reason: DropReason) -> None:
        """Ends what is under way, with one reason; a second time does nothing."""
        ...


class ConnectionEvents(Protocol):
    """What hears of a connection's fate."""

    def on_open(self, connection: Connection) -> None:
        """A client connected."""
        ...

    def on_upstream_failure(self) -> None:
        """The upstream took no connection; the client was turned away."""
        ...

    def on_unreadable(self) -> None:
        """Reading along ended; the bytes go on flowing."""
        ...

    def on_gone(self, connection: Connection) -> None:
        """Nothing of the connection is left."""
        ...


class Connection:
    """A client's connection and the upstream connection that was made for it."""

    def __init__(self, host: str, port: int, observer: Observer, events: ConnectionEvents) -> None:
        self.client = _Side(self)
        self._upstream = _Side(self)
        self.client.other, self._upstream.other = self._upstream, self.client
        self._host = host
        self._port = port
        self._observer: Observer | None = observer
        self._events = events
        self._connecting: asyncio.Task[None] | None = None
        self._draining = False
        self._gone = False

    def made(self, side: _Side) -> None:
        """A side has its transport. The client's is read once the upstream's is there."""
        if side is self.client:
            # uvloop begins to read after `connection_made`, so that it would ignore a pause here.
            asyncio.get_running_loop().call_soon(self._pause_client)
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(lambda _: self._settle())
            self._events.on_open(self)
        elif self.client.lost:
            side.transport.abort()
        else:
            self.client.replay()

    def heard(self, side: _Side, chunk: bytes) -> None:
        """Reads along with a chunk that was forwarded, nothing for the end."""
        if self._observer is None:
            return
        try:
            if side is self.client:
                self._observer.hear_client(chunk)
            else:
                self._observer.hear_server(chunk)
        except Exception:  # noqa: BLE001 - whatever the bytes do to the observer, users must not feel it
            self._detach()
        if self._draining:
            self._close_if_idle()

    def drain(self) -> None:
        """Closes as soon as no call is open; at once if none is."""
        self._draining = True
        self._close_if_idle()

    def abort(self) -> None:
        """Closes now, whatever is under way."""
        if self._connecting is not None:
            self._connecting.cancel()
        self.client.transport.abort()
        if self._upstream.is_made:
            self._upstream.transport.abort()

    def lost(self, side: _Side, error: Exception | None) -> None:
        """A side is gone: so is the other, after what it still has to send, or at once after an error."""
        if side.other.is_made and not side.other.lost:
            if error is None:
                side.other.transport.close()
            else:
                side.other.transport.abort()
        self._settle()

    def _pause_client(self) -> None:
        if not self._upstream.is_made and not self.client.lost:
            self.client.transport.pause_reading()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: self._upstream, self._host, self._port)
        except (OSError, UnicodeError):  # a host name may be one that no resolver takes
            self._events.on_upstream_failure()
            self.client.transport.abort()
        else:
            self.client.transport.resume_reading()

    def _close_if_idle(self) -> None:
        if self._observer is None or self._observer.open_calls:
            return
        if self._connecting is not None:
            self._connecting.cancel()
        self.client.transport.close()

    def _detach(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            self._events.on_unreadable()
            observer.close(DropReason.UNDECODABLE)

    def _settle(self) -> None:
        connected = self._connecting is not None and self._connecting.done()
        upstream_gone = self._upstream.lost or not self._upstream.is_made
        if self._gone or not (self.client.lost and connected and upstream_gone):
            return
        self._gone = True
        if self._observer is not None:
            self._observer.close(DropReason.CANCELLED)
        self._events.on_gone(self)


class _Side(asyncio.Protocol):
    """One socket; writes go to the other's."""

    transport: asyncio.Transport
    other: _Side

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # What is read before the pause that waits for the other side takes effect.
        self._early: list[bytes] = []
        self.ended = False
        self.is_made = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have these methods and are no `asyncio.Transport`.
        self.transport = cast("asyncio.Transport", transport)
        self.is_made = True
        # A peer that vanished without a word must not hold its connection forever.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connection.made(self)

    def replay(self) -> None:
        """Forwards what was read before the other side had its transport."""
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self.ended:
            self._forward_end()

    def data_received(self, data: bytes) -> None:
        if not self.other.is_made:
            self._early.append(data)
            return
        self.other.transport.write(data)
        self._connection.heard(self, data)

    def eof_received(self) -> bool:
        # uvloop tells of the end again where reading is resumed after it.
        if not self.ended:
            self.ended = True
            if self.other.is_made:
                self._forward_end()
        return not self.other.ended

    def _forward_end(self) -> None:
        if not self.other.ended:
            self.other.transport.write_eof()
        self._connection.heard(self, b"")

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._connection.lost(self, exc)
