"""Senders that write prepared calls straight to a socket, many at a time: as light as Python can be.

They read no more of an answer than where it ends and whether it went well.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, Protocol

import httptools

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
_ACK = _END_STREAM = 1
_END_HEADERS: Final = 4
_WINDOW_SETTING: Final = 4
_FRAME: Final = struct.Struct(">BHBBL")
_NUMBER: Final = struct.Struct(">L")
_FIRST_WINDOW: Final = 65535
_WINDOW: Final = 1 << 30


class Sender(Protocol):
    """One connection.

    Attributes:
        answered: calls that were answered to the end.
        failed: of these, not as they should.
    """

    answered: int
    failed: int

    def send(self) -> bool:
        """Sends the next call; False while the other side takes no more."""
        ...

    def flush(self) -> None:
        """Writes what was sent since the last time, all at once."""
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


class _Connection(asyncio.Protocol):
    """What both versions of HTTP have in common."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of `asyncio.Protocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a TCP transport reads and writes")
        self._transport = transport

    def flush(self) -> None:
        """Of `Sender`."""
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def close(self) -> None:
        """Of `Sender`."""
        self._transport.close()


class Http2Calls(_Connection):
    """gRPC calls as streams of one connection.

    Args:
        path: of the method.
        bodies: what a call's stream holds, gRPC's prefixes and all, without end.
    """

    def __init__(self, path: str, bodies: Iterator[bytes]) -> None:
        super().__init__()
        self._bodies = bodies
        self._next_body = next(bodies)
        self._stream = 1
        self._room = _FIRST_WINDOW
        self._unread = b""
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "benchmark",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        self._head = b"".join(_field(name.encode(), value.encode()) for name, value in fields.items())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of `asyncio.Protocol`."""
        super().connection_made(transport)
        setting = struct.pack(">HL", _WINDOW_SETTING, _WINDOW)
        update = _NUMBER.pack(_WINDOW - _FIRST_WINDOW)
        self._out += [PREFACE, _frame(_SETTINGS, 0, 0, setting), _frame(_WINDOW_UPDATE, 0, 0, update)]
        self.flush()

    def send(self) -> bool:
        """Of `Sender`."""
        body = self._next_body
        if len(body) > self._room:
            return False
        self._room -= len(body)
        self._out.append(_frame(_HEADERS, _END_HEADERS, self._stream, self._head))
        self._out.append(_frame(_DATA, _END_STREAM, self._stream, body))
        self._stream += 2
        self._next_body = next(self._bodies)
        return True

    def data_received(self, data: bytes) -> None:
        """Of `asyncio.Protocol`."""
        data = self._unread + data
        at, end = 0, len(data)
        while end - at >= _FRAME.size:
            high, low, kind, flags, stream = _FRAME.unpack_from(data, at)
            size = high << 16 | low
            if end - at < _FRAME.size + size:
                break
            self._read(kind, flags, stream, data[at + _FRAME.size : at + _FRAME.size + size])
            at += _FRAME.size + size
        self._unread = data[at:]

    def _read(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _RST_STREAM:
            # After an early answer, which says so without an error.
            self.failed += payload != _NUMBER.pack(0)
        elif kind in {_HEADERS, _DATA}:
            self.answered += flags & _END_STREAM
        elif kind == _WINDOW_UPDATE and not stream:
            # A body fits into its stream's first window.
            self._room += _NUMBER.unpack(payload)[0]
        elif kind in {_SETTINGS, _PING} and not flags & _ACK:
            self._out.append(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            self.flush()


class Http1Calls(_Connection):
    """Pipelined requests.

    Args:
        requests: heads and bodies, without end.
    """

    def __init__(self, requests: Iterator[bytes]) -> None:
        super().__init__()
        self._requests = requests
        self._parser = httptools.HttpResponseParser(self)

    def send(self) -> bool:
        """Of `Sender`."""
        self._out.append(next(self._requests))
        return True

    def data_received(self, data: bytes) -> None:
        """Of `asyncio.Protocol`."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Of the parser."""
        self.answered += 1
        self.failed += self._parser.get_status_code() != HTTPStatus.OK


async def paced(senders: Sequence[Sender], *, per_second: float, seconds: float, at_once: int) -> int:
    """Sends so many calls a second, in turns, however long they take; waits for the last answer.

    Args:
        senders: connected.
        per_second: of all together.
        seconds: of sending; longer where the other side is slower than that.
        at_once: calls without an answer, at most.

    Returns:
        calls sent.

    Raises:
        TimeoutError: an answer did not come.
    """
    clock = asyncio.get_running_loop().time
    wanted, sent, start = round(per_second * seconds), 0, clock()
    while sent < wanted:
        open_calls = sent - sum(one.answered for one in senders)
        due = min(round((clock() - start) * per_second) + 1, wanted, sent + at_once - open_calls)
        while sent < due and any(one.send() for one in _from(senders, sent)):
            sent += 1
        for one in senders:
            one.flush()
        await asyncio.sleep(0.002)
    async with asyncio.timeout(60):
        while sum(one.answered for one in senders) < sent:  # noqa: ASYNC110 - protocols have no event for it
            await asyncio.sleep(0.002)
    return sent


async def connected(address: str, make: Callable[[], Sender], number: int) -> list[Sender]:
    """Opens so many connections."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(number):
        sender = make()
        await loop.create_connection(lambda one=sender: one, host, int(port))  # type: ignore[misc] # each is a protocol
        made.append(sender)
    return made


def grpc_message(content: bytes) -> bytes:
    """A message with gRPC's prefix, uncompressed."""
    return b"\0" + _NUMBER.pack(len(content)) + content


def _from(senders: Sequence[Sender], number: int) -> Iterator[Sender]:
    return (senders[(number + step) % len(senders)] for step in range(len(senders)))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _FRAME.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def _field(name: bytes, value: bytes) -> bytes:
    """A header field as HPACK writes it without a table; name and value are shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
