"""What each way of capture adds to a user's request, what it costs, and how much of the traffic it sees.

Run it with `python -m benchmarks.capture --envoy PATH`; it exits 1 when a bar is missed or the accounting
is wrong. Variants take turns in short blocks, in one order and the other: direct; Envoy; the same once more,
which tells how far apart two equal variants lie; Envoy with copies to a socket that nobody reads, which is
what Envoy itself adds; Envoy with the mirror, Envoy with the observer and the built-in proxy, each with 0, 10
and 100 % of the requests sampled and four candidates scoring; mirror and observer once more with 10 % copied
by Envoy and all of that sampled. Each has a sidecar and an Envoy of its own. A scoring process is stopped
outside its own blocks, so that its backlog burdens no other variant.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks import digit_models
from benchmarks.load import Call, Series, block, bytes_method
from benchmarks.processes import (
    Listening,
    Sidecar,
    cpu_seconds,
    envoy,
    envoy_copies,
    free_address,
    listening,
    resident_bytes,
    serving,
)
from benchmarks.proxy import CALLERS, DOMAINS, WARM_UP_CALLS, verdict
from sidecar.config.schema import CAPTURES
from sidecar.config.units import split_address
from sidecar.tools.cli.envoy import static

MEASURED = ("mirror", "observer", "proxy")
SHARES = (0.0, 0.1, 1.0)
BY_ENVOY = 0.1
UPSTREAM, ENVOY, SERVING, SCORING = PROCESSES = ("model server", "Envoy", "serving", "scoring")
# Rounds go by the wall clock, and each scoring process runs in a twelfth of it: twelve times the default
# interval leaves them their usual share of the time that is measured.
ROUND_EVERY = "60s"
# Of every scoring process between two rounds.
LIFE_S = 2.0
# For copies that are still on their way when the last call was answered.
LATE_S = 10.0
P99_RATIO_BAR = 1.05


@dataclass(slots=True)
class Variant:
    """One way to the model, and what was measured on it.

    Attributes:
        title: as printed.
        model: name in the requests, which is the endpoint's.
        address: where the requests go.
        processes: their ids, by the names in `PROCESSES`.
        sidecar: what captures; None without one.
        admin: page of an Envoy that copies only a fraction of the requests; None: the capture sees all.
        has_bar: whether the bar is for it.
        sent: requests up to now.
        cpu_s: what each process spent in this variant's blocks.
        series: blocks by callers.
    """

    title: str
    model: str
    address: str
    processes: dict[str, int]
    sidecar: Sidecar | None = None
    admin: str | None = None
    has_bar: bool = False
    sent: int = 0
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    series: dict[int, Series] = field(default_factory=lambda: {callers: Series() for callers in CALLERS})

    @property
    def passed_on(self) -> int:
        """Requests up to now that the capture had to see."""
        return self.sent if self.admin is None else envoy_copies(self.admin)

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
        before = {name: cpu_seconds(process) for name, process in self.processes.items()}
        self.series[callers].blocks.append(await block([call] * callers, calls))
        for name, process in self.processes.items():
            self.cpu_s[name] += cpu_seconds(process) - before[name]

    def let_score(self, *, run: bool) -> None:
        """Lets the scoring process run or stops it, where there is one."""
        if self.sidecar:
            os.kill(self.processes[SCORING], signal.SIGCONT if run else signal.SIGSTOP)

    def p99_ratios(self, to: Variant, callers: int) -> list[float]:
        """Of the 99th percentiles of blocks that took turns."""
        mine, other = (
            [float(np.percentile(one.latencies_s, 99)) for one in of.series[callers].blocks]
            for of in (self, to)
        )
        return [a / b for a, b in zip(mine, other, strict=True)]


async def measure(rounds: int, calls: int, variants: Sequence[Variant]) -> None:
    """Warms every variant up, then runs all blocks in turn."""
    async with AsyncExitStack() as stack:
        load = []
        for variant in variants:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(variant.address))
            load.append((variant, variant.call(channel)))
        try:
            for _, call in load:
                await block([call], WARM_UP_CALLS)
            # One caller first: what many callers leave unscored would be scored in the next block.
            for callers in CALLERS:
                for number in range(rounds):
                    await show_life(variants)
                    # There and back, so that what a variant leaves behind falls to another neighbour.
                    for variant, call in load[:: 1 if number % 2 else -1]:
                        variant.let_score(run=True)
                        # More callers are quicker together; their blocks are to last about as long.
                        await variant.measure(call, callers, calls * min(callers, 2))
                        variant.let_score(run=False)
        finally:
            for variant in variants:
                variant.let_score(run=True)


async def show_life(variants: Sequence[Variant]) -> None:
    """Lets what is stopped run for a moment: after two minutes of silence it would be ended."""
    for variant in variants:
        variant.let_score(run=True)
    await asyncio.sleep(LIFE_S)
    for variant in variants:
        variant.let_score(run=False)


def show(variants: Sequence[Variant], bare: Variant) -> None:
    """Prints latencies, quartiles over blocks in brackets, and what each process used."""
    print(f"{'callers':>7}  {'variant':<24}{'p50 ms':>21}{'p99 ms':>22}{'p99 / Envoy':>20}{'requests/s':>12}")
    for callers in CALLERS:
        for variant in variants:
            series = variant.series[callers]
            latencies = "".join(
                f"{f'{series.latency_ms(percentile):.3f} [{low:.2f}, {high:.2f}]':>{width}}"
                for percentile, width in ((50, 21), (99, 22))
                for low, high in [series.spread_ms(percentile)]
            )
            low, ratio, high = np.percentile(variant.p99_ratios(bare, callers), (25, 50, 75))
            beside = f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
            print(f"{callers:>7}  {variant.title:<24}{latencies}{beside:>20}{series.per_second():>12,.0f}")
    print(f"{'':<24}{'CPU s per 1,000 requests':>52}{'MiB':>39}")
    columns = "".join(f"{name:>13}" for name in (*PROCESSES, *PROCESSES[1:]))
    print(f"{'variant':<24}{columns}{'observed':>10}{'sampled':>9}")
    for variant in variants:
        calls = sum(len(one.latencies_s) for each in variant.series.values() for one in each.blocks)
        used = [
            f"{1e3 * variant.cpu_s[name] / calls:.3f}" if name in variant.processes else ""
            for name in PROCESSES
        ]
        used += [
            f"{resident_bytes(variant.processes[name]) / 2**20:.0f}" if name in variant.processes else ""
            for name in PROCESSES[1:]
        ]
        print(f"{variant.title:<24}{''.join(f'{one:>13}' for one in used)}{_observed(variant)}")


def _observed(variant: Variant) -> str:
    if variant.sidecar is None:
        return ""
    counts = variant.sidecar.counters(variant.model)
    seen, sampled = (counts[f"requests_{name}"] / variant.sent for name in ("seen", "sampled"))
    return f"{seen:>10.2%}{sampled:>9.2%}"


def bars(variants: Sequence[Variant], bare: Variant) -> bool:
    """Prints each bar; whether all hold. One caller: more of them saturate two cores."""
    held = True
    for variant in variants:
        if variant.has_bar:
            ratio = float(np.median(variant.p99_ratios(bare, 1)))
            print(f"p99, {variant.title} / Envoy: {ratio:.2f}; bar <= {P99_RATIO_BAR}: ", end="")
            print(verdict(ratio <= P99_RATIO_BAR))
            held &= ratio <= P99_RATIO_BAR
    return held


def accounted(variants: Sequence[Variant]) -> bool:
    """Prints the accounting of every capture; whether all are exact."""
    exact = True
    for variant in variants:
        if variant.sidecar is not None:
            passed_on = variant.passed_on
            ends = time.monotonic() + LATE_S
            while (
                variant.sidecar.counters(variant.model)["requests_seen"] < passed_on
                and time.monotonic() < ends
            ):
                time.sleep(0.1)
            exact &= variant.sidecar.accounting(variant.model, passed_on)
    return exact


@dataclass(frozen=True, slots=True)
class Place:
    """Where variants are started: beside one model server, for as long as `stack` is open."""

    stack: ExitStack
    folder: Path
    program: Path
    upstream: Listening
    candidates: list[dict[str, Any]]

    def direct(self) -> Variant:
        """The model server alone."""
        return Variant("direct", "direct", self.upstream.address, {UPSTREAM: self.upstream.process_id})

    def bare(self, title: str) -> Variant:
        """An Envoy that copies nothing."""
        listen, admin = free_address(), free_address()
        config = self._bootstrap("mirror", listen, free_address(), admin)
        [listener] = config["static_resources"]["listeners"]
        [manager] = listener["filter_chains"][0]["filters"]
        [host] = manager["typed_config"]["route_config"]["virtual_hosts"]
        del host["routes"][0]["route"]["request_mirror_policies"]
        process = self.stack.enter_context(envoy(self.program, self.folder, config, admin))
        return Variant(title, "bare", listen, {UPSTREAM: self.upstream.process_id, ENVOY: process})

    def unread(self, kind: str) -> Variant:
        """An Envoy whose copies cost nobody but itself."""
        listen, admin = free_address(), free_address()
        sink = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"127.0.0.1:{sink.getsockname()[1]}"
        config = self._bootstrap(kind, listen, address, admin)
        process = self.stack.enter_context(envoy(self.program, self.folder, config, admin))
        return Variant(
            f"{kind}, unread", "unread", listen, {UPSTREAM: self.upstream.process_id, ENVOY: process}
        )

    def capture(self, kind: str, share: float, copied: float = 1.0) -> Variant:
        """A capture that samples so much of what its Envoy copies; `proxy` is the one that has no Envoy."""
        address, proxy = free_address(), kind == "proxy"
        admin = free_address()
        name, title = f"{kind}-{share}", f"{kind}, {share:.0%}"
        if copied < 1:
            name, title = f"{kind}-envoy-{copied}", f"{kind}, {copied:.0%} by Envoy"
        endpoint = {
            "name": name,
            "capture": [
                {kind: {"listen": address, **({"upstream": self.upstream.address} if proxy else {})}}
            ],
            "sample": {"fraction": share, "max_per_second": 1_000_000},
            "incumbent": self.candidates[0]["name"],
            "candidates": self.candidates,
            "ranking": {"every": ROUND_EVERY},
        }
        sidecar = self.stack.enter_context(serving(self.folder, [endpoint]))
        processes = {
            UPSTREAM: self.upstream.process_id,
            SERVING: sidecar.process_id,
            SCORING: sidecar.scoring_process_id,
        }
        if not proxy:
            listen = free_address()
            config = self._bootstrap(kind, listen, address, admin, copied)
            processes[ENVOY] = self.stack.enter_context(envoy(self.program, self.folder, config, admin))
            address = listen
        partly = admin if copied < 1 else None
        return Variant(title, name, address, processes, sidecar, partly, has_bar=not proxy)

    def _bootstrap(
        self, kind: str, listen: str, pilotfish: str, admin: str, copied: float = 1.0
    ) -> dict[str, Any]:
        return static.bootstrap(
            split_address(listen),
            split_address(self.upstream.address),
            split_address(pilotfish),
            feed=CAPTURES[kind].envoy_feed,
            admin=split_address(admin),
            fraction=copied,
        )


def main() -> int:
    """Starts everything, measures, returns the exit code."""
    parser = argparse.ArgumentParser(description="What each way of capture adds to a user's request.")
    parser.add_argument("--envoy", type=Path, required=True, help="path of the program")
    parser.add_argument("--rounds", type=int, default=10, help="blocks of each variant and number of callers")
    parser.add_argument(
        "--calls",
        type=int,
        default=1000,
        help="of a block with one caller; a round of over 120 s would end what is stopped meanwhile",
    )
    parser.add_argument("--delay-s", default="0", help="what the model takes, elsewhere than on these cores")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(listening("benchmarks.upstream", "--delay-s", options.delay_s))
        place = Place(stack, folder, options.envoy, upstream, digit_models.train(DOMAINS, folder))
        bare = place.bare("Envoy")
        captures = [place.capture(kind, share) for kind in MEASURED for share in SHARES]
        captures += [place.capture(kind, 1.0, BY_ENVOY) for kind in MEASURED if kind != "proxy"]
        unread = [place.unread(kind) for kind in MEASURED if kind != "proxy"]
        variants = [place.direct(), bare, place.bare("Envoy once more"), *unread, *captures]
        asyncio.run(measure(options.rounds, options.calls, variants))
        exact = accounted(variants)
        show(variants, bare)
        return 0 if bars(variants, bare) and exact else 1


if __name__ == "__main__":
    sys.exit(main())
