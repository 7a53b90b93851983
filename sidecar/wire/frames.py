"""Messages on a pipe: four bytes of length, little-endian, then the message."""

from __future__ import annotations

import os
import select
import struct

LENGTH = struct.Struct("<I")
_CHUNK = 1 << 20


def frame(message: bytes) -> bytes:
    """Returns the message with its length in front."""
    return LENGTH.pack(len(message)) + message


class FrameReader:
    """Takes whole messages from a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def wait(self, timeout_s: float) -> bool:
        """Waits for something to read, also the pipe's end; False when nothing came in the time."""
        return bool(select.select([self._descriptor], [], [], timeout_s)[0])

    def read(self) -> list[bytes]:
        """Takes the messages that are complete by now; waits when nothing is there to read.

        Raises:
            EOFError: the other end closed.
        """
        chunk = os.read(self._descriptor, _CHUNK)
        if not chunk:
            raise EOFError
        self._buffer += chunk
        messages = []
        start = 0
        while len(self._buffer) - start >= LENGTH.size:
            end = start + LENGTH.size + LENGTH.unpack_from(self._buffer, start)[0]
            if end > len(self._buffer):
                break
            messages.append(bytes(self._buffer[start + LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return messages
