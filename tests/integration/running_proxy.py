"""A proxy on its own event loop in a thread, with intakes that keep what they are given."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from pilotfish.internal.v1 import scoring_pb2

from sidecar.capture.intake import Accounting, Intake
from sidecar.capture.proxy import Proxy

WAIT_S = 30.0


class Collector:
    """A sink that takes everything."""

    def __init__(self) -> None:
        self.observations: list[scoring_pb2.Observation] = []

    def offer(self, instruction: bytes) -> bool:
        self.observations.append(scoring_pb2.Instruction.FromString(instruction).observation)
        return True


class RunningProxy:
    """Everything that touches the proxy runs on its loop, by `on_loop` or `eventually`."""

    def __init__(self, upstream: str, models: tuple[str, ...], *, max_item_bytes: int = 1 << 20) -> None:
        self.collector = Collector()
        self.intakes = {
            model: Intake(
                f"{model}-endpoint",
                fraction=1.0,
                max_per_second=1e9,
                max_item_bytes=max_item_bytes,
                sink=self.collector,
                uniform=lambda: 0.5,
                clock=time.monotonic,
            )
            for model in models
        }
        self.proxy = Proxy("127.0.0.1:0", upstream, self.intakes)
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.on_loop(self.proxy.start())
        self.address = self.proxy.address
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.on_loop(self.proxy.close(0.0))
        left = self.on_loop(_other_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert left == 0
        assert self.proxy.counts.connections == 0

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * WAIT_S)

    def eventually(self, true: Callable[[], bool]) -> bool:
        """Whether it becomes true; looks after every turn of the loop."""

        async def watch() -> bool:
            end = time.monotonic() + WAIT_S
            while not true() and time.monotonic() < end:  # noqa: ASYNC110 - the proxy has no event for it
                await asyncio.sleep(0.001)
            return true()

        return bool(self.on_loop(watch()))

    def counts(self, model: str) -> Accounting:
        """When no wanted request is undecided any more."""
        assert self.eventually(lambda: self.intakes[model].undecided == 0)
        return self.intakes[model].counts


async def _other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1
