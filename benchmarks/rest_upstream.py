"""A V2 model server over HTTP/1.1 that answers at once with fixed outputs, as a process of its own.

`python -m benchmarks.rest_upstream` prints `listening on HOST:PORT` when it serves.
"""

from __future__ import annotations

import asyncio
import json
import signal

import httptools

CLASSES = 10
_OUTPUT = {
    "name": "probabilities",
    "datatype": "FP32",
    "shape": [1, CLASSES],
    "data": [1 / CLASSES] * CLASSES,
}
BODY = json.dumps({"model_name": "any", "outputs": [_OUTPUT]}).encode()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
)


class Answering(asyncio.Protocol):
    """Gives every request, pipelined or not, the probabilities of one item."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of `asyncio.Protocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a TCP transport reads and writes")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Of `asyncio.Protocol`."""
        self._parser.feed_data(data)
        answers, self._answers = self._answers, 0
        self._transport.write(_ANSWER * answers)

    def on_message_complete(self) -> None:
        """Of the parser."""
        self._answers += 1


async def serve() -> None:
    """Serves until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with await loop.create_server(Answering, "127.0.0.1", 0) as server:
        print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve())
