"""Envoy's own count, from pages as Envoy writes them and from what is none."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.serving.capture.core.envoy_admin import EnvoyAdmin

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"


async def asked(page: bytes | None) -> int | None:
    """What is known once a page was read; None stands for an address where nobody listens."""
    asked_for = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /stats?filter=^cluster.pilotfish.upstream_rq_5xx$ HTTP/1.1\r\n")
        writer.write(page or b"")
        writer.close()
        asked_for.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if page is None:
        server.close()
        asked_for.set()
    admin = EnvoyAdmin(f"127.0.0.1:{port}")
    admin.lost_calls = -1
    following = asyncio.create_task(admin.follow(60.0))
    await asked_for.wait()
    while admin.lost_calls == -1:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    following.cancel()
    server.close()
    return admin.lost_calls


@pytest.mark.parametrize(
    ("page", "lost"),
    [
        (HEAD + b"28\r\ncluster.pilotfish.upstream_rq_5xx: 481\n\r\n0\r\n\r\n", 481),
        (HEAD + b"0\r\n\r\n", 0),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", None),
        (b"SSH-2.0\r\n", None),
        (b"", None),
        (None, None),
        (HEAD + b"x" * 100_000, 0),
    ],
)
def test_lost_calls_are_what_the_page_says_or_not_known(page: bytes | None, lost: int | None) -> None:
    assert asyncio.run(asked(page)) == lost


def test_without_an_address_nothing_is_known() -> None:
    async def follow() -> None:
        admin = EnvoyAdmin(None)
        following = asyncio.create_task(admin.follow(0.0))
        await asyncio.sleep(0)
        following.cancel()
        assert admin.lost_calls is None

    asyncio.run(follow())
