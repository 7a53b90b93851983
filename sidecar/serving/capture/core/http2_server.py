"""The server's end of an HTTP/2 connection for copies of calls: keeps little, answers with constants.

A library's server would make a task, a queue and objects of every call; under mirrored load they cost more
than all else. TLS, HTTP/1 and flow control towards the client are not here: nothing is held back.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.accepting import Closable
from sidecar.serving.capture.core.http2 import PING, PREFACE, SETTINGS, WINDOW_UPDATE, Http2Reader
from sidecar.serving.capture.core.messages import Memory
from sidecar.wire.reasons import DropReason

_DATA, _HEADERS, _RST_STREAM, _GOAWAY = 0x0, 0x1, 0x3, 0x7
_ACK, _END_STREAM, _END_HEADERS = 0x1, 0x1, 0x4
_NO_ERROR: Final = 0
_MAX_STREAMS_SETTING, _WINDOW_SETTING = 0x3, 0x4
_SETTING: Final = struct.Struct(">HL")
_NUMBER: Final = struct.Struct(">L")

_MAX_STREAMS: Final = 16384
# What is read is dropped or kept within `Memory` at once: windows need hold nobody back. A stream's is the
# largest there is, the connection's is filled up whenever a quarter of it was used.
_STREAM_WINDOW: Final = (1 << 31) - 1
_CONNECTION_WINDOW: Final = 16 << 20
_FIRST_WINDOW: Final = 65535
# About what an open stream's objects take, with its beginning until the model is known.
_STREAM_BYTES: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Reply:
    """How a stream is answered.

    Attributes:
        message: the serialised message; None for none.
        status: gRPC's.
    """

    message: bytes | None
    status: int = 0


UNIMPLEMENTED: Final = Reply(None, 12)
# Ends a stream well; an Envoy that would have waited for an answer goes on without.
ENOUGH: Final = Reply(None)


class Stream(Protocol):
    """One call on a connection; ends with exactly one of a reply and `drop`."""

    def hear(self, piece: memoryview) -> Reply | None:
        """Takes the next bytes; a reply when no more are wanted."""
        ...

    def end(self) -> Reply:
        """The client has sent all."""
        ...

    def drop(self, reason: DropReason) -> None:
        """The stream was reset or its connection lost."""
        ...


class StandingReply:
    """A call of no interest: its answer stands fast."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def hear(self, _: memoryview) -> Reply | None:
        """Implements `Stream`."""
        return None

    def end(self) -> Reply:
        """Implements `Stream`."""
        return self._reply

    def drop(self, reason: DropReason) -> None:
        """Implements `Stream`."""


class Server(Protocol):
    """What a connection belongs to."""

    memory: Memory

    @property
    def fields(self) -> frozenset[bytes]:
        """Names of the header fields that `begin` reads; a new object when they change."""
        ...

    def begin(self, fields: Mapping[bytes, bytes]) -> Stream:
        """A call began."""
        ...

    def on_refused(self) -> None:
        """A call was not taken, as too many are open."""
        ...

    def on_unreadable(self) -> None:
        """A connection was closed over what it sent."""
        ...

    def on_open(self, connection: Closable) -> None:
        """A client connected."""
        ...

    def on_gone(self, connection: Closable) -> None:
        """Nothing of the connection is left."""
        ...


class ServerConnection(asyncio.Protocol):
    """One client; a fault in what it sends ends the connection."""

    _transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._open: dict[int, Stream] = {}
        self._reader = Http2Reader(self, preface=PREFACE, keep=lambda: server.fields, control=self)
        self._out: list[bytes] = []
        self._last = 0
        self._draining = False
        self._unreplenished_from = 0
        # Flow control of answers: each takes its few bytes of the connection's window.
        self._room = _FIRST_WINDOW
        self._unanswered: deque[tuple[int, Reply]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Implements `asyncio.Protocol`."""
        # uvloop's transports have these methods and are no `asyncio.Transport`.
        self._transport = cast("asyncio.Transport", transport)
        # A peer that vanished without a word must not hold its connection forever.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        settings = _SETTING.pack(_MAX_STREAMS_SETTING, _MAX_STREAMS)
        settings += _SETTING.pack(_WINDOW_SETTING, _STREAM_WINDOW)
        self._send(SETTINGS, 0, 0, settings)
        self._send(WINDOW_UPDATE, 0, 0, _NUMBER.pack(_CONNECTION_WINDOW - _FIRST_WINDOW))
        self._server.on_open(self)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Implements `asyncio.Protocol`."""
        try:
            self._reader.feed(data)
        except Exception:  # noqa: BLE001 - a fault in here or in the sink must not be more than a lost connection
            self._server.on_unreadable()
            self._drop_all(DropReason.UNDECODABLE)
            self._transport.abort()
            return
        used = self._reader.data_bytes - self._unreplenished_from
        if used > _CONNECTION_WINDOW // 4:
            self._unreplenished_from = self._reader.data_bytes
            self._send(WINDOW_UPDATE, 0, 0, _NUMBER.pack(used))
        self._flush()

    def pause_writing(self) -> None:
        """Implements `asyncio.Protocol`."""
        # A client that reads no answers gets no further either.
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Implements `asyncio.Protocol`."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - lost is lost
        """Implements `asyncio.Protocol`."""
        self._drop_all(DropReason.CANCELLED)
        self._server.on_gone(self)

    def drain(self) -> None:
        """Of `Closable`."""
        self._draining = True
        self._send(_GOAWAY, 0, 0, _NUMBER.pack(self._last) + _NUMBER.pack(_NO_ERROR))
        self._flush()

    def abort(self) -> None:
        """Of `Closable`."""
        self._transport.abort()

    def on_headers(self, stream: int, fields: dict[bytes, bytes], *, ended: bool) -> None:
        """Implements `StreamEvents`."""
        if stream > self._last:
            self._last = stream
            if (
                self._draining
                or len(self._open) >= _MAX_STREAMS
                or not self._server.memory.take(_STREAM_BYTES)
            ):
                self._server.on_refused()
                self._answer_early(stream, ENOUGH, ended=ended)
                return
            self._open[stream] = self._server.begin(fields)
        if ended:
            self._ended(stream)

    def on_data(self, stream: int, piece: memoryview, *, ended: bool) -> None:
        """Implements `StreamEvents`."""
        call = self._open.get(stream)
        if call is None:
            return
        reply = call.hear(piece)
        if reply is not None:
            self._gone(stream)
            self._answer_early(stream, reply, ended=ended)
        elif ended:
            self._ended(stream)

    def on_reset(self, stream: int) -> None:
        """Implements `StreamEvents`."""
        call = self._gone(stream)
        if call is not None:
            call.drop(DropReason.CANCELLED)

    def on_control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Implements `Control`."""
        if kind == WINDOW_UPDATE and stream == 0 and len(payload) == _NUMBER.size:
            self._room += _NUMBER.unpack(payload)[0]
            while self._unanswered and self._room >= _message_bytes(self._unanswered[0][1]):
                self._answer(*self._unanswered.popleft())
        elif kind != WINDOW_UPDATE and not flags & _ACK:
            self._send(kind, _ACK, 0, payload if kind == PING else b"")

    def _ended(self, stream: int) -> None:
        call = self._gone(stream)
        if call is not None:
            self._answer(stream, call.end())

    def _gone(self, stream: int) -> Stream | None:
        call = self._open.pop(stream, None)
        if call is not None:
            self._server.memory.give_back(_STREAM_BYTES)
        return call

    def _drop_all(self, reason: DropReason) -> None:
        for stream in list(self._open):
            call = self._gone(stream)
            if call is not None:
                call.drop(reason)

    def _answer(self, stream: int, reply: Reply) -> None:
        if reply.message is None:
            self._send(_HEADERS, _END_HEADERS | _END_STREAM, stream, _HEAD + _status(reply.status))
            return
        size = _message_bytes(reply)
        if size > self._room:
            if len(self._unanswered) >= _MAX_STREAMS:
                raise InvalidError("the client does not read its answers; its connection is closed")
            self._unanswered.append((stream, reply))
            return
        self._room -= size
        self._send(_HEADERS, _END_HEADERS, stream, _HEAD)
        self._send(_DATA, 0, stream, b"\0" + _NUMBER.pack(len(reply.message)) + reply.message)
        self._send(_HEADERS, _END_HEADERS | _END_STREAM, stream, _status(reply.status))

    def _answer_early(self, stream: int, reply: Reply, *, ended: bool) -> None:
        self._answer(stream, reply)
        if not ended:
            self._send(_RST_STREAM, 0, stream, _NUMBER.pack(_NO_ERROR))

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        size = len(payload)
        self._out.append(struct.pack(">BHBBL", size >> 16, size & 0xFFFF, kind, flags, stream) + payload)

    def _flush(self) -> None:
        """Writes what one turn gathered; all at once, as a packet of its own for each costs more."""
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()
        if self._draining and not self._open and not self._unanswered:
            self._transport.close()


def _message_bytes(reply: Reply) -> int:
    return _NUMBER.size + 1 + len(reply.message or b"")


def _field(name: bytes, value: bytes) -> bytes:
    """A header field as HPACK writes it without a table; name and value are shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _status(status: int) -> bytes:
    return _field(b"grpc-status", b"%d" % status)


_HEAD: Final = _field(b":status", b"200") + _field(b"content-type", b"application/grpc")
