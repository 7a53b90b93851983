"""A bare grpc.aio server whose GetRanking returns fixed bytes, as a process of its own.

`python -m benchmarks.bare --answer FILE` prints `listening on HOST:PORT` when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import grpc


async def serve(answer: bytes) -> None:
    """Serves until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def get_ranking(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return answer

    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "GetRanking": grpc.unary_unary_rpc_method_handler(get_ranking)
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("pilotfish.v1.RankingService", methods),)
    )
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{bound}", flush=True)
    await ended.wait()
    await server.stop(None)


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answer", type=Path, required=True, help="file with the bytes to answer")
    asyncio.run(serve(parser.parse_args().answer.read_bytes()))


if __name__ == "__main__":
    main()
