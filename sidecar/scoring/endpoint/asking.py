"""Gives batches to a candidate's model and keeps the results until they are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sidecar.core.tensors import Array
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.runners.breaker import Breaker
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.server_budget import ServerBudget, size_bytes


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a model made of one batch.

    Attributes:
        first_id: number of the batch's first item.
        items: items in the batch.
        output: the model's output [items, ...], or the error that it raised.
        seconds: wall time that the model took; for a model behind a server the network is included.
    """

    first_id: int
    items: int
    output: Array | Exception
    seconds: float


class Asking:
    """The batches that one model has been given and not yet answered. All methods belong to one thread."""

    def __init__(
        self,
        model: Model,
        output: str,
        *,
        at_once: int,
        clock: Callable[[], float],
        interference: Interference,
        server: ServerBudget | None,
    ) -> None:
        """Prepares; threads start with the first batches.

        Args:
            model: the model; `close` closes it.
            output: name of the model's output to keep.
            at_once: greatest number of batches under way, each in a thread of its own; 0 means that the model
                runs in the caller's thread, before `ask` returns.
            clock: seconds, monotonic.
            interference: is told when each batch begins and ends.
            server: budget of the model's server; None if the model has no server.
        """
        self.breaker = Breaker(clock) if at_once else None
        self._model = model
        self._output = output
        self._clock = clock
        self._interference = interference
        self._server = server
        self._most = max(at_once, 1)
        self._threads: Executor = ThreadPoolExecutor(at_once, "shadow") if at_once else _Here()
        self._asked: list[Future[BatchResult]] = []

    @property
    def under_way(self) -> tuple[Future[BatchResult], ...]:
        """Batches that are not answered yet, or whose results were not taken yet."""
        return tuple(self._asked)

    def admits(self) -> bool:
        """Tells whether the model may be given a batch now."""
        asked = len(self._asked)
        return (
            asked < self._most
            and (self.breaker is None or self.breaker.admits(asked))
            and (self._server is None or self._server.admits())
        )

    def wait_s(self) -> float:
        """Returns the seconds until the model's server may be sent more bytes."""
        return self._server.wait_s() if self._server else 0.0

    def ask(self, first_id: int, items: int, inputs: Mapping[str, Array]) -> None:
        """Gives the model a batch."""
        self._interference.began()
        if self._server:
            self._server.began(size_bytes(inputs.values()))
        self._asked.append(self._threads.submit(self._run, first_id, items, inputs))

    def arrived(self) -> list[BatchResult]:
        """Takes the results that have arrived."""
        done = [asked for asked in self._asked if asked.done()]
        self._asked = [asked for asked in self._asked if asked not in done]
        self._ended(len(done))
        return [asked.result() for asked in done]

    def close(self) -> None:
        """Cancels what is under way and ends the threads; results that were not taken are lost."""
        self._ended(len(self._asked))
        self._asked = []
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._model.close()

    def _ended(self, batches: int) -> None:
        for _ in range(batches):
            self._interference.ended()
            if self._server:
                self._server.ended()

    def _run(self, first_id: int, items: int, inputs: Mapping[str, Array]) -> BatchResult:
        start = self._clock()
        output: Array | Exception
        try:
            output = self._model.run(inputs)[self._output]
        except Exception as error:  # noqa: BLE001 - a model's failure is a result, it must not end the process
            output = error
        return BatchResult(first_id, items, output, self._clock() - start)


class _Here(Executor):
    """Runs each call at once, in the caller's thread."""

    def submit(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:  # noqa: ANN401 - the base class has these types
        done: Future[Any] = Future()
        done.set_result(function(*given, **named))
        return done
