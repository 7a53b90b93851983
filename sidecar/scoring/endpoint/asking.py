"""Gives batches to a candidate's model and keeps its answers until they are taken."""

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
class Answer:
    """What became of one batch.

    Attributes:
        output: [items, ...], or why there is none.
        seconds: that the model took, with the way to it.
    """

    first_id: int
    items: int
    output: Array | Exception
    seconds: float


class Asking:
    """One model's batches under way. Its methods belong to one thread."""

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
            model: closed with this.
            output: of the model, to be kept.
            at_once: batches under way, at most, each in a thread of its own; 0: the model answers in the
                caller's thread, before `ask` returns.
            clock: seconds, monotonic.
            interference: told of every batch.
            server: what may be asked of the model's server; None: it has none.
        """
        self.breaker = Breaker(clock) if at_once else None
        self._model = model
        self._output = output
        self._clock = clock
        self._interference = interference
        self._server = server
        self._most = max(at_once, 1)
        self._threads: Executor = ThreadPoolExecutor(at_once, "shadow") if at_once else _Here()
        self._asked: list[Future[Answer]] = []

    @property
    def under_way(self) -> tuple[Future[Answer], ...]:
        """Batches that are not answered yet, or whose answers were not taken."""
        return tuple(self._asked)

    def admits(self) -> bool:
        """Whether a batch may be given to the model now."""
        asked = len(self._asked)
        return (
            asked < self._most
            and (self.breaker is None or self.breaker.admits(asked))
            and (self._server is None or self._server.admits())
        )

    def wait_s(self) -> float:
        """Seconds until the model's server may be sent more bytes."""
        return self._server.wait_s() if self._server else 0.0

    def ask(self, first_id: int, items: int, inputs: Mapping[str, Array]) -> None:
        """Gives the model a batch."""
        self._interference.began()
        if self._server:
            self._server.began(size_bytes(inputs.values()))
        self._asked.append(self._threads.submit(self._run, first_id, items, inputs))

    def arrived(self) -> list[Answer]:
        """Takes the answers that are there."""
        done = [asked for asked in self._asked if asked.done()]
        self._asked = [asked for asked in self._asked if asked not in done]
        self._ended(len(done))
        return [asked.result() for asked in done]

    def close(self) -> None:
        """Ends what is under way, and the threads with it; what was not taken is lost."""
        self._ended(len(self._asked))
        self._asked = []
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._model.close()

    def _ended(self, batches: int) -> None:
        for _ in range(batches):
            self._interference.ended()
            if self._server:
                self._server.ended()

    def _run(self, first_id: int, items: int, inputs: Mapping[str, Array]) -> Answer:
        start = self._clock()
        output: Array | Exception
        try:
            output = self._model.run(inputs)[self._output]
        except Exception as error:  # noqa: BLE001 - whatever a model does is told, not raised
            output = error
        return Answer(first_id, items, output, self._clock() - start)


class _Here(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:  # noqa: ANN401 - as the base class has it
        done: Future[Any] = Future()
        done.set_result(function(*given, **named))
        return done
