"""gRPC messages in a stream's bytes: gathering them within bounds, undoing their compression."""

from __future__ import annotations

import zlib
from typing import Final

from sidecar.wire.reasons import DropReason

PREFIX_BYTES: Final = 5
# What the open calls of one listening address may hold together, unless told otherwise.
MEMORY_BYTES: Final = 64 << 20
# gRPC's `deflate` is the zlib format; zlib tells it from gzip by itself.
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_COMPRESSIONS: Final = frozenset({b"gzip", b"deflate"})


class Memory:
    """The bytes that all calls being gathered may hold together."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size: int) -> bool:
        """Takes bytes, to be given back; False when there are not so many left."""
        if self.held_bytes + size > self.limit_bytes:
            return False
        self.held_bytes += size
        return True

    def give_back(self, size: int) -> None:
        """Gives back what was taken."""
        self.held_bytes -= size


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
        if not self._memory.take(len(piece)):
            return DropReason.MEMORY_FULL
        self._bytes += piece
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
        return inflated(body, compression, self._limit_bytes) if self._bytes[0] else body

    def release(self) -> None:
        """Gives the memory back."""
        self._memory.give_back(len(self._bytes))
        self._bytes = bytearray()


class MessageCutter:
    """Cuts the bytes of a stream of many messages into messages."""

    __slots__ = ("_bytes", "_memory")

    def __init__(self, memory: Memory) -> None:
        self._bytes = bytearray()
        self._memory = memory

    def cut(self, piece: memoryview) -> list[bytes] | DropReason:
        """Takes the stream's next bytes; returns the messages that are now whole.

        After a reason, which tells why the stream cannot be followed, only `release` may be called.
        """
        if not self._memory.take(len(piece)):
            return DropReason.MEMORY_FULL
        gathered = self._bytes
        gathered += piece
        messages: list[bytes] = []
        at = 0
        while len(gathered) - at >= PREFIX_BYTES:
            if gathered[at]:
                return DropReason.UNKNOWN_CODING
            end = at + PREFIX_BYTES + int.from_bytes(gathered[at + 1 : at + PREFIX_BYTES], "big")
            if end > len(gathered):
                break
            messages.append(bytes(gathered[at + PREFIX_BYTES : end]))
            at = end
        del gathered[:at]
        self._memory.give_back(at)
        return messages

    def release(self) -> None:
        """Gives the memory back."""
        self._memory.give_back(len(self._bytes))
        self._bytes = bytearray()


def inflated(body: bytes, compression: bytes, limit_bytes: int) -> bytes | DropReason:
    """A compressed body, uncompressed; a reason when it cannot be or is larger than the limit."""
    if compression not in _COMPRESSIONS:
        return DropReason.UNKNOWN_CODING
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        content = inflater.decompress(body, limit_bytes + 1)
    except zlib.error:
        return DropReason.UNDECODABLE
    if len(content) > limit_bytes:
        return DropReason.OVERSIZE
    return content if inflater.eof else DropReason.UNDECODABLE


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
