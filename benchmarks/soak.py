"""Memory and accounting of the serving process over many requests while the scoring process hangs.

Run it with `python -m benchmarks.soak`; it exits 1 when memory moves by more than the bar, the
accounting is wrong, or a request fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import grpc

from benchmarks import digit_models
from benchmarks.load import Call, block, bytes_method
from benchmarks.processes import Sidecar, free_address, listening, resident_bytes, serving
from benchmarks.rankings import first_ranking

ENDPOINT = "digits"
DOMAINS = ("upright", "rotated")
CONNECTIONS = 4
CALLERS_EACH = 8
ROWS = 8
WARM_UP_CALLS = 500
BLOCKS = 200
LINES = 20
BASELINE_SHARE = 0.1
BAR = 0.05
_MIB = 1 << 20


async def measure(requests: int, proxy: str, sidecar: Sidecar) -> bool:
    """Sends everything and prints; whether the bars hold."""
    async with AsyncExitStack() as stack:
        callers = []
        for _ in range(CONNECTIONS):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(proxy, options=options))
            callers += [infer(channel) for _ in range(CALLERS_EACH)]
        rankings = await stack.enter_async_context(grpc.aio.insecure_channel(sidecar.grpc))
        await block(callers, WARM_UP_CALLS)
        await first_ranking(rankings, ENDPOINT, WARM_UP_CALLS)
        with hanging(sidecar.scoring_process_id):
            start = time.monotonic()
            memory = [resident_bytes(sidecar.process_id)]
            for _ in range(BLOCKS):
                await block(callers, requests // BLOCKS)
                memory.append(resident_bytes(sidecar.process_id))
            seconds = time.monotonic() - start
            exact = sidecar.accounting(ENDPOINT, WARM_UP_CALLS + requests)
    print(f"{requests:,} requests in {seconds:.0f} s, {requests / seconds:,.0f} a second")
    return flat(memory, requests) and exact


def flat(memory: list[int], requests: int) -> bool:
    """Prints memory over requests; whether it stays within the bar of where it was at the baseline."""
    first = round(BASELINE_SHARE * BLOCKS)
    baseline = memory[first]
    print(f"{'requests':>10}{'resident MiB':>14}{'to baseline':>13}")
    for index in range(0, BLOCKS + 1, BLOCKS // LINES):
        change = f"{memory[index] / baseline - 1:+.2%}" if index >= first else "warming up"
        print(f"{requests // BLOCKS * index:>10,}{memory[index] / _MIB:>14.1f}{change:>13}")
    worst = max((one / baseline - 1 for one in memory[first:]), key=abs)
    print(f"largest change: {worst:+.2%}; bar within {BAR:.0%}: {'met' if abs(worst) <= BAR else 'MISSED'}")
    return abs(worst) <= BAR


@contextmanager
def hanging(process_id: int) -> Iterator[None]:
    """Makes a process hang meanwhile."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        # A run of more than two minutes outlives it: the watchdog ends what gives no sign of life.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGCONT)


def infer(channel: grpc.aio.Channel) -> Call:
    """One caller's call; the requests are large enough to fill the queue to scoring before the baseline."""
    method = bytes_method(channel, digit_models.MODEL_INFER)
    requests = digit_models.infer_requests(ENDPOINT, ROWS)

    async def call() -> None:
        await method(next(requests))

    return call


def main() -> int:
    """Starts everything, measures, returns the exit code."""
    parser = argparse.ArgumentParser(description="Memory and accounting while the scoring process hangs.")
    parser.add_argument(
        "--requests", type=int, default=200_000, help=f"rounded down to {BLOCKS} equal blocks"
    )
    requests = parser.parse_args().requests // BLOCKS * BLOCKS
    with tempfile.TemporaryDirectory() as name, listening("benchmarks.upstream") as upstream:
        folder = Path(name)
        candidates = digit_models.train(DOMAINS, folder)
        proxy = {"listen": free_address(), "upstream": upstream.address}
        endpoint = {
            "name": ENDPOINT,
            "capture": [{"proxy": proxy}],
            "sample": {"fraction": 1.0, "max_per_second": 1_000_000},
            "incumbent": candidates[0]["name"],
            "candidates": candidates,
        }
        with serving(folder, [endpoint]) as sidecar:
            held = asyncio.run(measure(requests, proxy["listen"], sidecar))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
