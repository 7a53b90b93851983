"""What the proxy adds to a user's request, and what scoring adds to that.

Run it with `python -m benchmarks.proxy`; it exits 1 when a bar is missed or the accounting is wrong.
Four variants take turns in short blocks: direct; the proxy with sampling off; the proxy with default
sampling and four candidates scoring, on the same connection; and the same with every request sampled.
A scoring process is stopped outside its own blocks, so that its backlog burdens no other variant.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from benchmarks import digit_models
from benchmarks.load import Call, Series, block, bytes_method
from benchmarks.processes import Sidecar, cpu_seconds, free_address, listening, serving
from benchmarks.rankings import first_ranking

DOMAINS = ("upright", "rotated", "noisy", "thick")
EVERY_REQUEST = {"fraction": 1.0, "max_per_second": 1_000_000}
NO_REQUEST = {"fraction": 0.0}
# Rounds go by the wall clock, and each scoring process runs in a quarter of it: four times the default
# interval leaves them their usual share of the time that is measured.
ROUND_EVERY = "20s"
CALLERS = (1, 16)
WARM_UP_CALLS = 1_500
WARM_UP_ITEMS = 50
ADDED_P50_BAR_MS = 0.8
P99_RATIO_BAR = 1.25


@dataclass(slots=True)
class Variant:
    """One way to the model, and what was measured on it.

    Attributes:
        title: as printed.
        model: name in the requests, which is the endpoint's.
        address: where the requests go.
        sidecar: whose proxy that is; None without one.
        scoring: the process that scores meanwhile; None without one.
        sent: requests up to now.
        cpu_s: what the scoring process spent in this variant's blocks.
        series: blocks by callers.
    """

    title: str
    model: str
    address: str
    sidecar: Sidecar | None = None
    scoring: int | None = None
    sent: int = 0
    cpu_s: float = 0.0
    series: dict[int, Series] = field(default_factory=lambda: {callers: Series() for callers in CALLERS})

    def call(self, channel: grpc.aio.Channel) -> Call:
        """A call as one caller makes it."""
        method = bytes_method(channel, digit_models.MODEL_INFER)
        requests = digit_models.infer_requests(self.model, 1)

        async def infer() -> None:
            self.sent += 1
            await method(next(requests))

        return infer

    async def measure(self, call: Call, callers: int, calls: int) -> None:
        """Runs one block."""
        before = cpu_seconds(self.scoring) if self.scoring else 0.0
        self.series[callers].blocks.append(await block([call] * callers, calls))
        self.cpu_s += cpu_seconds(self.scoring) - before if self.scoring else 0.0


async def measure(rounds: int, calls: int, variants: Sequence[Variant]) -> None:
    """Warms every variant up, then runs all blocks in turn."""
    scoring = [variant.scoring for variant in variants if variant.scoring]
    async with AsyncExitStack() as stack:
        channels = {
            address: await stack.enter_async_context(grpc.aio.insecure_channel(address))
            for address in {variant.address for variant in variants}
        }
        load = [(variant, variant.call(channels[variant.address])) for variant in variants]
        for variant, call in load:
            await block([call], WARM_UP_CALLS)
            if variant.sidecar and variant.scoring:
                async with grpc.aio.insecure_channel(variant.sidecar.grpc) as channel:
                    await first_ranking(channel, variant.model, WARM_UP_ITEMS)
        try:
            # One caller first: what many callers leave unscored would be scored in the next block.
            for callers in CALLERS:
                for _ in range(rounds):
                    for variant, call in load:
                        for process_id in scoring:
                            mine = process_id == variant.scoring
                            os.kill(process_id, signal.SIGCONT if mine else signal.SIGSTOP)
                        # More callers are quicker together; their blocks are to last about as long.
                        await variant.measure(call, callers, calls * min(callers, 2))
        finally:
            for process_id in scoring:
                os.kill(process_id, signal.SIGCONT)


def show(variants: Sequence[Variant]) -> None:
    """Prints all figures, quartiles over blocks in brackets."""
    latency_titles = f"{'p50 ms':>21}{'p99 ms':>22}{'p99 of all':>12}"
    print(f"{'callers':>7}  {'variant':<28}{latency_titles}{'requests/s':>12}{'scoring uses':>16}")
    for callers in CALLERS:
        for variant in variants:
            series = variant.series[callers]
            latencies = "".join(
                f"{f'{series.latency_ms(percentile):.3f} [{low:.2f}, {high:.2f}]':>{width}}"
                for percentile, width in ((50, 21), (99, 22))
                for low, high in [series.spread_ms(percentile)]
            )
            seconds = sum(one.seconds for each in variant.series.values() for one in each.blocks)
            core = f"{variant.cpu_s / seconds:.0%} of a core" if variant.scoring else ""
            print(
                f"{callers:>7}  {variant.title:<28}{latencies}{series.pooled_ms(99):>12.3f}"
                f"{series.per_second():>12,.0f}{core:>16}"
            )


def bars(direct: Variant, off: Variant, scoring: Sequence[Variant]) -> bool:
    """Prints each bar; whether all hold. One caller: more of them saturate two cores."""
    added_ms = off.series[1].latency_ms(50) - direct.series[1].latency_ms(50)
    held = added_ms <= ADDED_P50_BAR_MS
    print(f"p50 added by the proxy: {added_ms:.3f} ms; bar <= {ADDED_P50_BAR_MS} ms: {verdict(held)}")
    for variant in scoring:
        ratio = variant.series[1].latency_ms(99) / off.series[1].latency_ms(99)
        within = ratio <= P99_RATIO_BAR
        print(f"p99, {variant.title} / off: {ratio:.2f}; bar <= {P99_RATIO_BAR}: {verdict(within)}")
        held &= within
    return held


def verdict(held: bool) -> str:  # noqa: FBT001 - the one thing it turns to words
    """How a bar's outcome is printed."""
    return "met" if held else "MISSED"


def endpoint(
    name: str, proxy: dict[str, str], sample: dict[str, float], candidates: list[dict[str, Any]]
) -> dict[str, Any]:
    """An endpoint on a proxy that others may share; requests for the model of its name are its own."""
    return {
        "name": name,
        "capture": [{"proxy": proxy}],
        "sample": sample,
        "incumbent": candidates[0]["name"],
        "candidates": candidates,
        "ranking": {"every": ROUND_EVERY},
    }


def main() -> int:
    """Starts everything, measures, returns the exit code."""
    parser = argparse.ArgumentParser(description="What the proxy and scoring add to a user's request.")
    parser.add_argument("--rounds", type=int, default=10, help="blocks of each variant and number of callers")
    parser.add_argument("--calls", type=int, default=1500, help="of a block with one caller")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(listening("benchmarks.upstream")).address
        candidates = digit_models.train(DOMAINS, folder)
        light, heavy = ({"listen": free_address(), "upstream": upstream} for _ in range(2))
        one = stack.enter_context(
            serving(
                folder,
                [
                    endpoint("unsampled", light, NO_REQUEST, candidates[:1]),
                    endpoint("default", light, {}, candidates),
                ],
            )
        )
        other = stack.enter_context(serving(folder, [endpoint("every", heavy, EVERY_REQUEST, candidates)]))
        direct = Variant("direct", "direct", upstream)
        off = Variant("proxy, sampling off", "unsampled", light["listen"], one)
        scoring = (
            Variant("proxy, default sampling", "default", light["listen"], one, one.scoring_process_id),
            Variant(
                "proxy, every request sampled", "every", heavy["listen"], other, other.scoring_process_id
            ),
        )
        variants = (direct, off, *scoring)
        asyncio.run(measure(options.rounds, options.calls, variants))
        show(variants)
        exact = [
            variant.sidecar.accounting(variant.model, variant.sent) for variant in variants if variant.sidecar
        ]
    return 0 if bars(direct, off, scoring) and all(exact) else 1


if __name__ == "__main__":
    sys.exit(main())
