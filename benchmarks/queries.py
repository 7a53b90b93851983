"""GetRanking of 20 candidates against a bare grpc.aio method that returns the same bytes.

Run it with `python -m benchmarks.queries`; it exits 1 when the bar is missed. Both servers are
processes of their own; the same client asks them in turn, in short blocks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from pilotfish.v1 import ranking_pb2, traffic_pb2, traffic_pb2_grpc

from benchmarks import digit_models
from benchmarks.load import Series, block, bytes_method
from benchmarks.processes import Sidecar, cpu_seconds, listening, serving
from benchmarks.rankings import first_ranking
from sidecar.tools.demo import digits

ENDPOINT = "digits"
CANDIDATES = 20
ITEMS = 200
CALLERS = (1, 16)
WARM_UP_CALLS = 2_000
BAR = 0.8
PILOTFISH, BARE = "pilotfish", "bare grpc.aio"
_METHOD = "/pilotfish.v1.RankingService/GetRanking"
_REQUEST = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT).SerializeToString()


@dataclass(slots=True)
class Server:
    """One of the two, and what was measured on it, by callers."""

    channel: grpc.aio.Channel
    process_id: int
    cpu_s: dict[int, float] = field(default_factory=lambda: dict.fromkeys(CALLERS, 0.0))
    series: dict[int, Series] = field(default_factory=lambda: {callers: Series() for callers in CALLERS})

    async def measure(self, callers: int, calls: int) -> None:
        """Runs one block."""
        before = cpu_seconds(self.process_id)
        self.series[callers].blocks.append(await block([ask(self.channel)] * callers, calls))
        self.cpu_s[callers] += cpu_seconds(self.process_id) - before


async def measure(rounds: int, calls: int, sidecar: Sidecar, folder: Path) -> bool:
    """Runs all blocks and prints; whether the bar holds."""
    async with grpc.aio.insecure_channel(sidecar.grpc) as ours:
        await traffic_pb2_grpc.TrafficServiceStub(ours).Observe(observations())
        await first_ranking(ours, ENDPOINT, ITEMS)
        answer = await ask(ours)()
        path = folder / "answer"
        path.write_bytes(answer)
        with listening("benchmarks.bare", f"--answer={path}") as bare:
            async with grpc.aio.insecure_channel(bare.address) as theirs:
                servers = {
                    PILOTFISH: Server(ours, sidecar.process_id),
                    BARE: Server(theirs, bare.process_id),
                }
                for server in servers.values():
                    await block([ask(server.channel)], WARM_UP_CALLS)
                for _ in range(rounds):
                    for callers in CALLERS:
                        for server in servers.values():
                            await server.measure(callers, calls)
                if not await ask(ours)() == await ask(theirs)() == answer:
                    raise RuntimeError("the two servers did not answer the same bytes")
    print(f"GetRanking of {CANDIDATES} candidates, {len(answer):,} bytes; {rounds} blocks of {calls} calls")
    return show(servers)


def show(servers: dict[str, Server]) -> bool:
    """Prints all figures and the bar; whether it holds."""
    print(f"{'callers':>7}  {'server':<16}{'calls/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'server us/call':>16}")
    for callers in CALLERS:
        for name, server in servers.items():
            series = server.series[callers]
            calls = sum(len(one.latencies_s) for one in series.blocks)
            print(
                f"{callers:>7}  {name:<16}{series.per_second():>10,.0f}{series.latency_ms(50):>10.3f}"
                f"{series.latency_ms(99):>10.3f}{1e6 * server.cpu_s[callers] / calls:>16.0f}"
            )
    held = True
    for callers in CALLERS:
        ratio = servers[PILOTFISH].series[callers].per_second() / servers[BARE].series[callers].per_second()
        said = "met" if ratio >= BAR else "MISSED"
        print(f"{callers} callers: {ratio:.2f} x the bare method; bar >= {BAR}: {said}")
        held &= ratio >= BAR
    return held


def ask(channel: grpc.aio.Channel) -> Callable[[], Awaitable[bytes]]:
    """One caller's call; the answer stays bytes."""
    method = bytes_method(channel, _METHOD)

    async def get_ranking() -> bytes:
        return await method(_REQUEST)

    return get_ranking


async def observations() -> AsyncIterator[traffic_pb2.ObserveRequest]:
    """Digits, one a message."""
    for image in digit_models.images()[:ITEMS]:
        tensor = traffic_pb2.Tensor(
            name=digits.INPUT, datatype="FP32", shape=(1, image.size), contents=image.tobytes()
        )
        yield traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor])


def main() -> int:
    """Starts everything, measures, returns the exit code."""
    parser = argparse.ArgumentParser(description="GetRanking against a bare grpc.aio method.")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of each server and number of callers")
    parser.add_argument("--calls", type=int, default=500, help="of a block")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digit_models.train(["upright"], folder)
        candidates = digit_models.copies("upright", CANDIDATES, folder)
        endpoint = {
            "name": ENDPOINT,
            "sample": {"fraction": 1.0, "max_per_second": 1_000_000},
            "incumbent": candidates[0]["name"],
            "candidates": candidates,
            # A ranking that turns stale between two blocks would be other bytes.
            "ranking": {"every": "500ms", "stale_after": "1h"},
        }
        with serving(folder, [endpoint]) as sidecar:
            held = asyncio.run(measure(options.rounds, options.calls, sidecar, folder))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
