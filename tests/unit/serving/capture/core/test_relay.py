"""What a relayed connection does while its upstream is not there yet, on both event loops that may run it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
import uvloop

from sidecar.serving.capture.core.relay import Connection
from sidecar.serving.capture.core.relay_server import RelayServer
from sidecar.wire.reasons import DropReason

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
Loop = Callable[[], asyncio.AbstractEventLoop]


class Heard:
    """An observer that keeps what it reads."""

    open_calls = 0

    def __init__(self) -> None:
        self.client: list[bytes] = []

    def hear_client(self, chunk: bytes) -> None:
        self.client.append(chunk)

    def hear_server(self, chunk: bytes) -> None:
        pass

    def close(self, reason: DropReason) -> None:
        pass


def run(play: Callable[[], Coroutine[None, None, None]], loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(play(), 30))


@contextlib.asynccontextmanager
async def relay_to(upstream: socket.socket, heard: Heard) -> AsyncIterator[RelayServer]:
    host, port = upstream.getsockname()
    relay = RelayServer("127.0.0.1:0", f"{host}:{port}", {}, key="listen", observe=lambda *_: heard)
    await relay.start()
    try:
        yield relay
    finally:
        # uvloop does not close while a connection is open.
        await relay.close(0)


def client_of(relay: RelayServer) -> socket.socket:
    host, _, port = relay.address.rpartition(":")
    return socket.create_connection((host, int(port)))


@LOOPS
def test_what_a_client_sends_before_the_upstream_is_there_arrives_whole_and_in_order(loop: Loop) -> None:
    async def play() -> None:
        heard = Heard()
        with socket.create_server(("127.0.0.1", 0)) as upstream:
            async with relay_to(upstream, heard) as relay:
                with client_of(relay) as client:
                    # The relay's loop accepts after this: what was sent waits for it.
                    client.sendall(b"early")
                    client.shutdown(socket.SHUT_WR)
                    upstream.settimeout(5)
                    taken, _ = await asyncio.to_thread(upstream.accept)
                    taken.settimeout(5)
                    with taken:
                        assert await asyncio.to_thread(taken.recv, 100, socket.MSG_WAITALL) == b"early"
                assert heard.client == [b"early", b""]

    run(play, loop)


@LOOPS
def test_a_client_is_not_read_while_the_upstream_does_not_accept(loop: Loop) -> None:
    async def play() -> None:
        heard = Heard()
        # A full queue: the kernel lets a further connection wait.
        with (
            socket.create_server(("127.0.0.1", 0), backlog=0) as upstream,
            socket.create_connection(upstream.getsockname()),
        ):
            async with relay_to(upstream, heard) as relay:
                with client_of(relay) as client:
                    client.sendall(b"early")
                    for _ in range(50):
                        await asyncio.sleep(0.001)
                    (connection,) = relay._acceptor._connections
                    assert isinstance(connection, Connection)
                    assert not connection.client.transport.is_reading()
                    assert heard.client == []

    run(play, loop)
