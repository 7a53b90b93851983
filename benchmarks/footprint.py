"""How soon `pilotfish serve` is ready, and the memory it takes, beside one small ONNX candidate.

Run it with `python -m benchmarks.footprint`; it exits 1 when a bar is missed. Each start is a process of its
own, from exec to the first 200 of /readyz and to the first ranking that GetRanking answers. Memory is read
when 200 items were scored and nothing comes any more: of the serving and the scoring process, and of both
with each page counted once, as a container's memory is. The bars hold for the usual sidecar, beside a model
server; where Pilotfish itself answers, the serving process has a model runtime as well.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import yaml
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc

from benchmarks import digit_models
from benchmarks.load import bytes_method
from benchmarks.memory import Memory, memory, together_bytes
from benchmarks.processes import Sidecar, cpu_seconds, free_address, listening

ENDPOINT = "digits"
ITEMS = 200
READY_BAR_S = 1.5
MEMORY_BAR_BYTES = 150 << 20
# What follows the last ranking (the recommendation, freed arrays) is over by then.
_QUIET_S = 3.0
_WAIT_S = 60.0
_POLL_S = 0.005
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a sidecar.

    Attributes:
        ready_s: from exec to the first 200 of /readyz.
        ready_cpu_s: processor time of the serving process by then.
        ranking_s: from exec to the first answer of GetRanking.
        each: memory of the serving and of the scoring process.
        together_bytes: memory of both, each page once.
    """

    ready_s: float
    ready_cpu_s: float
    ranking_s: float
    each: tuple[Memory, Memory]
    together_bytes: int


async def start(folder: Path, endpoint: dict[str, Any]) -> Start:
    """Starts a sidecar, lets it score, reads its memory, ends it."""
    with started(folder, endpoint) as (sidecar, begun):
        await ready(sidecar.http)
        ready_s, ready_cpu_s = time.monotonic() - begun, cpu_seconds(sidecar.process_id)
        async with grpc.aio.insecure_channel(sidecar.grpc) as channel:
            await answered(channel)
            ranking_s = time.monotonic() - begun
            await send(endpoint["capture"][0]["proxy"]["listen"])
            await scored(channel)
        await asyncio.sleep(_QUIET_S)
        both = sidecar.process_id, sidecar.scoring_process_id
        each = memory(both[0]), memory(both[1])
        return Start(ready_s, ready_cpu_s, ranking_s, each, together_bytes(both))


@contextmanager
def started(folder: Path, endpoint: dict[str, Any]) -> Iterator[tuple[Sidecar, float]]:
    """A sidecar and when it was started, by the monotonic clock."""
    at, http = free_address(), free_address()
    path = folder / "pilotfish.yaml"
    settings = {"endpoints": [endpoint], "serve": {"grpc": at, "http": http}, "log": {"level": "error"}}
    path.write_text(yaml.safe_dump(settings))
    command = [str(Path(sysconfig.get_path("scripts"), "pilotfish")), "serve", "--config", str(path)]
    begun = time.monotonic()
    with subprocess.Popen(command) as process:
        try:
            yield Sidecar(at, http, process.pid), begun
        finally:
            process.terminate()


async def ready(address: str) -> None:
    """Waits for the first 200 of /readyz."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: pilotfish\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
        except OSError:
            line = b""
        if b" 200 " in line:
            return
        await asyncio.sleep(_POLL_S)
    raise RuntimeError("the sidecar did not become ready; its own message stands above")


async def answered(channel: grpc.aio.Channel) -> None:
    """Waits for the first ranking."""
    rankings = ranking_pb2_grpc.RankingServiceStub(channel)
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        try:
            await rankings.GetRanking(ranking_pb2.GetRankingRequest(endpoint=ENDPOINT))
        except grpc.aio.AioRpcError:
            await asyncio.sleep(_POLL_S)
        else:
            return
    raise RuntimeError("there was no ranking within a minute")


async def send(proxy: str) -> None:
    """Sends the items, one a request."""
    requests = digit_models.infer_requests(ENDPOINT, 1)
    async with grpc.aio.insecure_channel(proxy) as channel:
        infer = bytes_method(channel, digit_models.MODEL_INFER)
        for _ in range(ITEMS):
            await infer(next(requests))


async def scored(channel: grpc.aio.Channel) -> None:
    """Waits for a ranking of all items that were sent; a single candidate has no rank in it."""
    request = ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT, every_round=True)
    stream = ranking_pb2_grpc.RankingServiceStub(channel).WatchRanking(request, timeout=_WAIT_S)
    async for response in stream:
        if response.ranking.items >= ITEMS:
            stream.cancel()
            return
    raise RuntimeError("the stream of rankings ended")


def show(name: str, starts: list[Start]) -> None:
    """Prints the medians."""
    times = sorted(one.ready_s for one in starts)
    print(f"{name}, {len(starts)} starts")
    print(f"  ready after     {median(times):.2f} s [{times[0]:.2f}, {times[-1]:.2f}]")
    print(f"  of a core       {median(one.ready_cpu_s for one in starts):.2f} s")
    print(f"  first ranking   {median(one.ranking_s for one in starts):.2f} s")
    print(f"  {'MiB':<16}{'RSS':>7}{'PSS':>7}{'own':>7}")
    rows: dict[str, list[tuple[Memory, ...]]] = {
        "serving": [(one.each[0],) for one in starts],
        "scoring": [(one.each[1],) for one in starts],
        "sum": [one.each for one in starts],
    }
    for row, counted in rows.items():
        cells = (
            median(sum(getattr(of, kind) for of in each) for each in counted) for kind in Memory.__slots__
        )
        print(f"  {row:<16}" + "".join(f"{cell / _MIB:>7.1f}" for cell in cells))
    print(f"  each page once  {median(one.together_bytes for one in starts) / _MIB:>7.1f}")


def bars(starts: list[Start]) -> bool:
    """Prints the bars; whether they hold."""
    ready_s = median(one.ready_s for one in starts)
    together = median(one.together_bytes for one in starts)
    held = ready_s <= READY_BAR_S, together <= MEMORY_BAR_BYTES
    print(f"  bar: ready <= {READY_BAR_S} s: {'met' if held[0] else 'MISSED'}")
    print(f"  bar: each page once <= {MEMORY_BAR_BYTES // _MIB} MiB: {'met' if held[1] else 'MISSED'}")
    return all(held)


def median(values: Iterable[float]) -> float:
    """The median of what may be an iterator."""
    return statistics.median(list(values))


def main() -> int:
    """Trains the model, starts the sidecars, returns the exit code."""
    parser = argparse.ArgumentParser(description="Cold start and memory beside one small ONNX candidate.")
    parser.add_argument("--starts", type=int, default=7)
    starts = parser.parse_args().starts
    with tempfile.TemporaryDirectory() as name, listening("benchmarks.upstream") as upstream:
        folder = Path(name)
        candidates = digit_models.train(["upright"], folder)
        proxy: dict[str, str | None] = {"listen": free_address()}
        endpoint = {
            "name": ENDPOINT,
            "capture": [{"proxy": proxy}],
            "sample": {"fraction": 1.0, "max_per_second": 1_000_000},
            "incumbent": candidates[0]["name"],
            "candidates": candidates,
            "ranking": {"every": "1s"},
        }

        def measured(name: str, upstream: str | None) -> list[Start]:
            proxy["upstream"] = upstream
            found = [asyncio.run(start(folder, endpoint)) for _ in range(starts)]
            show(name, found)
            return found

        held = bars(measured("a model server answers", upstream.address))
        measured("Pilotfish itself answers", None)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
