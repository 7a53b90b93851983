"""A closed load: a fixed number of callers, each with one call under way at a time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np

from sidecar.core.tensors import Array, Floats

Call = Callable[[], Awaitable[object]]


def bytes_method(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """A method as bytes in and bytes out, so that little of the measured time is the client's."""
    return channel.unary_unary(path)


@dataclass(frozen=True, slots=True)
class Block:
    """One short stretch of load.

    Attributes:
        seconds: from the first call to the end of the last.
        latencies_s: of every call [calls].
    """

    seconds: float
    latencies_s: Floats


async def block(callers: Sequence[Call], calls: int) -> Block:
    """Makes the calls, as many at a time as there are callers; the first failed call ends all."""
    turns = iter(range(calls))
    latencies: list[float] = []

    async def repeat(call: Call) -> None:
        for _ in turns:
            start = time.perf_counter()
            await call()
            latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(repeat(call) for call in callers))
    return Block(time.perf_counter() - start, np.array(latencies))


@dataclass(slots=True)
class Series:
    """The blocks of one variant; its figures are medians over blocks, so that a bad second weighs little."""

    blocks: list[Block] = field(default_factory=list)

    def latency_ms(self, percentile: float) -> float:
        """Median over blocks of a percentile of the latency."""
        return 1e3 * statistics.median(
            float(np.percentile(one.latencies_s, percentile)) for one in self.blocks
        )

    def pooled_ms(self, percentile: float) -> float:
        """A percentile over the calls of all blocks: what is rare and long, like a round, counts here."""
        each = np.concatenate([one.latencies_s for one in self.blocks])
        return 1e3 * float(np.percentile(each, percentile))

    def per_second(self) -> float:
        """Median over blocks of the calls per second."""
        return statistics.median(len(one.latencies_s) / one.seconds for one in self.blocks)

    def spread_ms(self, percentile: float) -> Array:
        """Quartiles over blocks of a percentile of the latency [2]."""
        each = [np.percentile(one.latencies_s, percentile) for one in self.blocks]
        return 1e3 * np.percentile(each, [25, 75])
