"""A capture on its own event loop in a thread, with intakes that keep what they are given."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import uvloop
from pilotfish.internal.v1 import scoring_pb2

from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.intake import Accounting, Intake
from sidecar.serving.capture.core.listener import Listener
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.relay import Observer
from sidecar.serving.capture.core.relay_server import RelayServer
from sidecar.serving.capture.core.watchlist import Watchlist
from sidecar.serving.capture.ext_proc import ext_proc
from sidecar.serving.capture.mirror import mirror
from sidecar.serving.capture.proxy.observer import ConnectionObserver

WAIT_S = 30.0


class Collector:
    """A sink that takes everything."""

    def __init__(self) -> None:
        self.observations: list[scoring_pb2.Observation] = []

    def offer(self, instruction: bytes) -> bool:
        self.observations.append(scoring_pb2.Instruction.FromString(instruction).observation)
        return True


Capture_co = TypeVar("Capture_co", bound=Listener, covariant=True)


class RunningCapture(Generic[Capture_co]):
    """Everything that touches the capture runs on its loop, by `on_loop` or `eventually`."""

    def __init__(
        self,
        make: Callable[[Mapping[str, Intake]], Capture_co],
        models: tuple[str, ...],
        *,
        max_item_bytes: int = 1 << 20,
    ) -> None:
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
        self.capture = make(self.intakes)
        self.address = ""
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.on_loop(self.capture.start())
        self.address = self.capture.address
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.on_loop(self.capture.close(0.0))
        left = self.on_loop(_other_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert left == 0
        assert not self.capture.counts.connections

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


class RunningProxy(RunningCapture[RelayServer]):
    """A proxy in front of an upstream."""

    def __init__(
        self,
        upstream: str,
        models: tuple[str, ...],
        *,
        observe: Callable[[Watchlist, Memory], Observer] = ConnectionObserver,
    ) -> None:
        super().__init__(
            lambda intakes: RelayServer(
                "127.0.0.1:0", upstream, intakes, key="proxy.listen", observe=observe
            ),
            models,
        )
        self.proxy = self.capture


def running_mirror(models: tuple[str, ...]) -> RunningCapture[CopyServer]:
    return RunningCapture(
        lambda intakes: CopyServer("127.0.0.1:0", "mirror.listen", mirror.begin, intakes), models
    )


def running_observer(models: tuple[str, ...]) -> RunningCapture[CopyServer]:
    return RunningCapture(
        lambda intakes: CopyServer("127.0.0.1:0", "observer.listen", ext_proc.begin, intakes), models
    )


async def _other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1
