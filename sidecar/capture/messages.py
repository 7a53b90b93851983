"""One gRPC message as it stands in a stream's bytes: gathering it within bounds, undoing its compression."""

from __future__ import annotations

import zlib
from typing import Final

from sidecar.capture.intake import DropReason

PREFIX_BYTES: Final = 5
# gRPC's `deflate` is the zlib format; zlib tells it from gzip by itself.
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_COMPRESSIONS: Final = frozenset({b"gzip", b"deflate"})


class Memory:
    """The bytes that all calls being gathered may hold together."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0


class Message:
    """Gathers the one message of a unary call's direction."""

    __slots__ = ("_bytes", "_limit_bytes", "_memory")

    def __init__(self, limit_bytes: int, memory: Memory) -> None:
        self._bytes = bytearray()
        self._limit_bytes = limit_bytes
        self._memory = memory

    def add(self, piece: memoryview | bytes) -> DropReason | None:
        """Adds the stream's next bytes; a reason when the message cannot become a sample.

        Says so as soon as the length is known, before a large message is gathered.
        """
        have = len(self._bytes)
        if have < PREFIX_BYTES:
            head = bytes(self._bytes) + bytes(piece[: PREFIX_BYTES - have])
            if len(head) == PREFIX_BYTES and int.from_bytes(head[1:], "big") > self._limit_bytes:
                return DropReason.OVERSIZE
        if have + len(piece) > PREFIX_BYTES + self._limit_bytes:
            return DropReason.UNDECODABLE
        if self._memory.held_bytes + len(piece) > self._memory.limit_bytes:
            return DropReason.MEMORY_FULL
        self._bytes += piece
        self._memory.held_bytes += len(piece)
        return None

    def content(self, compression: bytes) -> bytes | DropReason:
        """The message, uncompressed; a reason when it is none or too large.

        Args:
            compression: the stream's `grpc-encoding`; empty where it names none.
        """
        length = int.from_bytes(self._bytes[1:PREFIX_BYTES], "big")
        if len(self._bytes) != PREFIX_BYTES + length:
            return DropReason.UNDECODABLE
        body = bytes(memoryview(self._bytes)[PREFIX_BYTES:])
        if not self._bytes[0]:
            return body
        if compression not in _COMPRESSIONS:
            return DropReason.UNDECODABLE
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            content = inflater.decompress(body, self._limit_bytes + 1)
        except zlib.error:
            return DropReason.UNDECODABLE
        if len(content) > self._limit_bytes:
            return DropReason.OVERSIZE
        return content if inflater.eof else DropReason.UNDECODABLE

    def release(self) -> None:
        """Gives the memory back."""
        self._memory.held_bytes -= len(self._bytes)
        self._bytes = bytearray()


def opening(start: bytes, compression: bytes, size: int) -> bytes | None:
    """The first bytes of a message from the first bytes of its stream; None when it cannot be read.

    Args:
        start: of the stream's bytes, at least one.
        compression: the stream's `grpc-encoding`.
        size: bytes wanted; fewer are returned where `start` holds no more.
    """
    body = start[PREFIX_BYTES:]
    if start[0] == 0:
        return body[:size]
    if compression not in _COMPRESSIONS:
        return None
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, size)
    except zlib.error:
        return None
