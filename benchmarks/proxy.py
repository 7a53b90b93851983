"""What the proxy adds to a user's request, and what scoring adds to that.

Run it with `python -m benchmarks.proxy`; it exits 1 when a bar is missed or the accounting is wrong.
Three variants take turns in short blocks: direct; the proxy with sampling off; the same proxy and
connection with every request sampled and four candidates scoring. The scoring process is stopped
outside its own blocks, so that its backlog burdens no other variant.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from benchmarks import digit_models
from benchmarks.load import Call, Series, block
from benchmarks.processes import Sidecar, cpu_seconds, free_address, listening, serving
from benchmarks.rankings import first_ranking

DOMAINS = ("upright", "rotated", "noisy", "thick")
DIRECT, OFF, SCORING = "direct", "proxy, sampling off", "proxy, 4 scoring"
CALLERS = (1, 16)
WARM_UP_CALLS = 1_000
ADDED_P50_BAR_MS = 0.8
P99_RATIO_BAR = 1.25


@dataclass(slots=True)
class Variant:
    """One way to the model, and what was measured on it."""

    channel: grpc.aio.Channel
    requests: Iterator[bytes]
    sent: int = 0
    series: dict[int, Series] = field(default_factory=lambda: {callers: Series() for callers in CALLERS})

    def call(self) -> Call:
        """A call as one caller makes it; bytes in and out, so that little of the time is the client's."""
        method = self.channel.unary_unary(digit_models.MODEL_INFER)

        async def infer() -> None:
            self.sent += 1
            await method(next(self.requests))

        return infer


async def measure(rounds: int, calls: int, upstream: str, proxy: str, sidecar: Sidecar) -> bool:
    """Runs all blocks and prints; whether the bars hold and the accounting is exact."""
    direct, proxied = grpc.aio.insecure_channel(upstream), grpc.aio.insecure_channel(proxy)
    variants = {
        DIRECT: Variant(direct, digit_models.infer_requests("direct", 1)),
        OFF: Variant(proxied, digit_models.infer_requests("unsampled", 1)),
        SCORING: Variant(proxied, digit_models.infer_requests("sampled", 1)),
    }
    scoring = sidecar.scoring_process_id
    async with direct, proxied, grpc.aio.insecure_channel(sidecar.grpc) as rankings:
        for variant in variants.values():
            await block([variant.call()], WARM_UP_CALLS)
        await first_ranking(rankings, "sampled", WARM_UP_CALLS // 2)
        cpu_before = cpu_seconds(scoring)
        for _ in range(rounds):
            for callers in CALLERS:
                for name, variant in variants.items():
                    os.kill(scoring, signal.SIGCONT if name == SCORING else signal.SIGSTOP)
                    load = [variant.call() for _ in range(callers)]
                    variant.series[callers].blocks.append(await block(load, calls * min(callers, 4)))
        os.kill(scoring, signal.SIGCONT)
    show(variants)
    spent = cpu_seconds(scoring) - cpu_before
    stretch = sum(one.seconds for series in variants[SCORING].series.values() for one in series.blocks)
    print(f"\nin its blocks the scoring process used {spent / stretch:.0%} of a core")
    exact = [
        sidecar.accounting(name, variants[of].sent) for name, of in (("unsampled", OFF), ("sampled", SCORING))
    ]
    print()
    return all([*bars(variants), *exact])


def show(variants: dict[str, Variant]) -> None:
    """Prints all figures, quartiles over blocks in brackets."""
    print(f"{'callers':>7}  {'variant':<20}{'p50 ms':>20}{'p99 ms':>22}{'requests/s':>12}{'blocks':>8}")
    for callers in CALLERS:
        for name, variant in variants.items():
            series = variant.series[callers]
            latencies = "".join(
                f"{series.latency_ms(percentile):>{width}.3f} [{low:.2f}, {high:.2f}]"
                for percentile, width in ((50, 6), (99, 8))
                for low, high in [series.spread_ms(percentile)]
            )
            print(
                f"{callers:>7}  {name:<20}{latencies:>42}{series.per_second():>12,.0f}{len(series.blocks):>8}"
            )


def bars(variants: dict[str, Variant]) -> Iterator[bool]:
    """Prints each bar and whether it holds."""
    alone = {name: variant.series[1] for name, variant in variants.items()}
    added = alone[OFF].latency_ms(50) - alone[DIRECT].latency_ms(50)
    yield verdict(
        f"p50 added by the proxy, 1 caller: {added:.3f} ms", added, f"{ADDED_P50_BAR_MS} ms", ADDED_P50_BAR_MS
    )
    for callers in CALLERS:
        ratio = variants[SCORING].series[callers].latency_ms(99) / variants[OFF].series[callers].latency_ms(
            99
        )
        yield verdict(
            f"p99 with scoring / without, {callers} callers: {ratio:.2f}",
            ratio,
            f"{P99_RATIO_BAR}",
            P99_RATIO_BAR,
        )


def verdict(said: str, value: float, bar_text: str, bar: float) -> bool:
    """Prints one line; whether the value is within the bar."""
    print(f"{said}; bar <= {bar_text}: {'met' if value <= bar else 'MISSED'}")
    return value <= bar


def endpoint(
    name: str, proxy: dict[str, str], fraction: float, candidates: list[dict[str, Any]]
) -> dict[str, Any]:
    """An endpoint on the shared proxy; requests for the model of its name are its own."""
    return {
        "name": name,
        "capture": [{"proxy": proxy}],
        "sample": {"fraction": fraction, "max_per_second": 1_000_000},
        "incumbent": candidates[0]["name"],
        "candidates": candidates,
    }


def main() -> int:
    """Starts everything, measures, returns the exit code."""
    parser = argparse.ArgumentParser(description="What the proxy and scoring add to a user's request.")
    parser.add_argument("--rounds", type=int, default=40, help="blocks of each variant and number of callers")
    parser.add_argument("--calls", type=int, default=300, help="of a block with one caller")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, listening("benchmarks.upstream") as upstream:
        folder = Path(name)
        candidates = digit_models.train(DOMAINS, folder)
        proxy = {"listen": free_address(), "upstream": upstream.address}
        endpoints = [
            endpoint("unsampled", proxy, 0.0, candidates[:1]),
            endpoint("sampled", proxy, 1.0, candidates),
        ]
        with serving(folder, endpoints) as sidecar:
            fine = asyncio.run(
                measure(options.rounds, options.calls, upstream.address, proxy["listen"], sidecar)
            )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
