"""Reads one direction of an HTTP/2 connection along with its bytes: frames and header blocks.

Knows nothing of gRPC, sends nothing, and holds no more than one header block. DATA is handed on in
the pieces it arrives in, uncopied.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Protocol

from hpack import Decoder

from sidecar.core.errors import InvalidError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_FRAME: Final = struct.Struct(">BHBBL")
_DATA, _HEADERS, _RST_STREAM, _PUSH_PROMISE, _CONTINUATION = 0x0, 0x1, 0x3, 0x5, 0x9
SETTINGS, PING, WINDOW_UPDATE = 0x4, 0x6, 0x8
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_PRIORITY_BYTES: Final = 5
_STREAM_BITS: Final = 0x7FFFFFFF

_MAX_BLOCK_BYTES: Final = 64 << 10
# RFC 9113's smallest limit on a frame, which nobody here raises.
_MAX_CONTROL_BYTES: Final = 16 << 10
_MAX_TABLE_BYTES: Final = 64 << 10
_MAX_KNOWN_BLOCKS: Final = 64
_MAX_KNOWN_BLOCK_BYTES: Final = 512


class StreamEvents(Protocol):
    """What hears one direction's streams."""

    def on_headers(self, stream: int, fields: dict[bytes, bytes], *, ended: bool) -> None:
        """A whole header block; of the fields only those that the reader was told to keep."""
        ...

    def on_data(self, stream: int, piece: memoryview, *, ended: bool) -> None:
        """The next bytes of a stream, maybe none; the view is valid only during the call."""
        ...

    def on_reset(self, stream: int) -> None:
        """The stream was reset."""
        ...


class Control(Protocol):
    """What hears the frames that are about the connection itself; needed by who takes part in it."""

    def on_control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """A SETTINGS, PING or WINDOW_UPDATE frame."""
        ...


class HeaderBlocks:
    """Decodes the header blocks of one direction; each must be given, in order, for the table's sake.

    `keep` tells the names of the fields to keep; a new set of names must be another object.

    References:
        RFC 7541.
    """

    def __init__(self, keep: Callable[[], frozenset[bytes]]) -> None:
        self._keep = keep
        self._kept = keep()
        self._decoder = Decoder(max_header_list_size=_MAX_BLOCK_BYTES)
        # SETTINGS need not be read: an encoder announces every change of its table in the block itself.
        self._decoder.max_allowed_table_size = _MAX_TABLE_BYTES
        self._known: dict[bytes, dict[bytes, bytes]] = {}

    def decode(self, block: bytes) -> dict[bytes, bytes]:
        """Returns the fields to keep.

        Raises:
            hpack.HPACKError: the block is malformed or too large.
        """
        keep = self._keep()
        if keep is not self._kept:
            self._known.clear()
            self._kept = keep
        fields = self._known.get(block)
        if fields is not None:
            return fields
        size, length, newest = self._table()
        decoded = self._decoder.decode(block, raw=True)
        fields = {name: value for name, value in decoded if name in keep}
        now_size, now_length, now_newest = self._table()
        # Equal blocks mean equal fields for as long as the table stays as it is. gRPC sends the same
        # few blocks again and again, and decoding is what costs most here.
        same = (size, length) == (now_size, now_length) and newest is now_newest
        if not same or len(self._known) >= _MAX_KNOWN_BLOCKS:
            self._known.clear()
        elif len(block) <= _MAX_KNOWN_BLOCK_BYTES:
            self._known[block] = fields
        return fields

    def _table(self) -> tuple[int, int, object]:
        """What tells a changed table: entries come in at the front, and each is a new object."""
        entries = self._decoder.header_table.dynamic_entries
        return self._decoder.header_table_size, len(entries), entries[0] if entries else None


class Http2Reader:
    """Cuts the bytes of one direction into events, however they are chunked.

    Attributes:
        data_bytes: bytes of DATA up to now, as flow control counts them.

    References:
        RFC 9113, sections 3.4, 4 and 6.
    """

    def __init__(
        self,
        events: StreamEvents,
        *,
        preface: bytes,
        keep: Callable[[], frozenset[bytes]],
        control: Control | None = None,
    ) -> None:
        self.data_bytes = 0
        self._events = events
        self._control = control
        self._preface = preface
        self._blocks = HeaderBlocks(keep)
        self._settled = False
        self._head = bytearray()
        self._in_frame = False
        self._kind = self._flags = self._stream = self._left = 0
        self._pad: int | None = 0
        self._gathered = bytearray()
        self._block = bytearray()
        self._block_stream = 0
        self._block_ended = False

    def feed(self, chunk: bytes) -> None:
        """Reads the next bytes.

        Raises:
            InvalidError: they are not HTTP/2; the reader must not be used any more.
            hpack.HPACKError: the same, in a header block.
        """
        view, at, size = memoryview(chunk), 0, len(chunk)
        if self._preface:
            start = chunk[: len(self._preface)]
            if not self._preface.startswith(start):
                raise InvalidError("the connection does not begin as HTTP/2 does; it cannot be read")
            self._preface = self._preface[len(start) :]
            at = len(start)
        while at < size:
            if not self._in_frame:
                if not self._head and size - at >= _FRAME.size:
                    self._begin(chunk, at)
                    at += _FRAME.size
                else:
                    start = chunk[at : at + _FRAME.size - len(self._head)]
                    self._head += start
                    at += len(start)
                    if len(self._head) < _FRAME.size:
                        return
                    self._begin(self._head, 0)
                    self._head.clear()
            piece = view[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            self._in_frame = self._left > 0
            self._payload(piece)

    def _begin(self, source: bytes | bytearray, at: int) -> None:
        high, low, self._kind, self._flags, stream = _FRAME.unpack_from(source, at)
        self._left = high << 16 | low
        self._stream = stream & _STREAM_BITS
        self._pad = None if self._kind == _DATA and self._flags & _PADDED else 0
        if not self._settled:
            if self._kind != SETTINGS:
                raise InvalidError("the first frame is not SETTINGS; the connection cannot be read")
            self._settled = True
        if self._block_stream and (self._kind, self._stream) != (_CONTINUATION, self._block_stream):
            raise InvalidError(
                f"frame {self._kind} stands inside a header block; the connection is malformed"
            )
        if self._kind in {_HEADERS, _CONTINUATION}:
            if self._kind == _CONTINUATION and not self._block_stream:
                raise InvalidError(
                    "a CONTINUATION frame follows no HEADERS frame; the connection is malformed"
                )
            if len(self._block) + self._left > _MAX_BLOCK_BYTES:
                raise InvalidError(
                    f"the header block has over {_MAX_BLOCK_BYTES} bytes; the connection cannot be read"
                )
        elif self._kind == _PUSH_PROMISE:
            raise InvalidError(
                "a PUSH_PROMISE frame, which gRPC does not use, came; the connection cannot be read"
            )
        elif self._kind in {SETTINGS, PING, WINDOW_UPDATE} and self._left > _MAX_CONTROL_BYTES:
            raise InvalidError(f"frame {self._kind} has {self._left} bytes; the connection is malformed")
        if not self._stream and self._kind in {_DATA, _HEADERS, _RST_STREAM}:
            raise InvalidError(f"frame {self._kind} names no stream; the connection is malformed")

    def _payload(self, piece: memoryview) -> None:
        if self._kind == _DATA:
            self._data(piece)
        elif self._kind in {_HEADERS, _CONTINUATION}:
            self._gathered += piece
            if not self._in_frame:
                payload = bytes(self._gathered)
                self._gathered.clear()
                self._fragment(payload)
        elif self._kind == _RST_STREAM and not self._in_frame:
            self._events.on_reset(self._stream)
        elif self._control is not None and self._kind in {SETTINGS, PING, WINDOW_UPDATE}:
            self._gathered += piece
            if not self._in_frame:
                payload = bytes(self._gathered)
                self._gathered.clear()
                self._control.on_control(self._kind, self._flags, self._stream, payload)

    def _data(self, piece: memoryview) -> None:
        self.data_bytes += len(piece)
        if self._pad is None and len(piece):
            self._pad = piece[0]
            piece = piece[1:]
            if self._pad > len(piece) + self._left:
                raise InvalidError("the padding is longer than its frame; the connection is malformed")
        padding = max((self._pad or 0) - self._left, 0)
        ended = not self._in_frame and bool(self._flags & _END_STREAM)
        self._events.on_data(self._stream, piece[: max(len(piece) - padding, 0)], ended=ended)

    def _fragment(self, payload: bytes) -> None:
        if self._kind == _HEADERS:
            payload = _bare_fragment(payload, self._flags)
            self._block_stream = self._stream
            self._block_ended = bool(self._flags & _END_STREAM)
        if self._flags & _END_HEADERS:
            fields = self._blocks.decode(bytes(self._block) + payload if self._block else payload)
            stream, self._block_stream = self._block_stream, 0
            self._block.clear()
            self._events.on_headers(stream, fields, ended=self._block_ended)
        else:
            self._block += payload


def _bare_fragment(payload: bytes, flags: int) -> bytes:
    """A HEADERS payload without padding and priority."""
    start = (1 if flags & _PADDED else 0) + (_PRIORITY_BYTES if flags & _PRIORITY else 0)
    end = len(payload) - (payload[0] if flags & _PADDED and payload else 0)
    if start > end:
        raise InvalidError("the padding is longer than its frame; the connection is malformed")
    return payload[start:end]
