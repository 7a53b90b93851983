"""One candidate in the scoring process: it loads its files and answers the window's items."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

import numpy as np
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Candidate
from sidecar.core.errors import PilotfishError, UnavailableError
from sidecar.core.files import file_stamp
from sidecar.core.tensors import Array, Batch
from sidecar.estimation.measures.thresholds import source_thresholds
from sidecar.scoring.endpoint.answer_ring import AnswerRing
from sidecar.scoring.endpoint.asking import Asking, BatchResult
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.binning import Binning
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.endpoint.loaded import Loaded
from sidecar.scoring.endpoint.progress import Progress
from sidecar.scoring.runners.breaker import Breaker
from sidecar.scoring.runners.model import OpenModel, ServedModel
from sidecar.scoring.runners.server_budget import ServerBudgets
from sidecar.scoring.runners.server_times import ServerTimes

# Enough runs for quartiles, few enough to follow a machine that changes.
_TIMED_RUNS: Final = 256


class ShadowCandidate:
    """Answers the window's items in their order; a failure is counted and becomes `reason`, it is not raised.

    Attributes:
        settings: the candidate's section of the configuration.
        loaded: the opened model; None if it could not be opened, or was not opened yet.
        reason: the last failure; empty if the last batch was answered.
        items: items that the model answered.
        failures: items that the model was given and did not answer.
        answers_seen: items whose answers were taken from the traffic.
        shadow_s: seconds that the model's runs took in all.
        runs: items and seconds of the newest runs.
    """

    def __init__(
        self,
        settings: Candidate,
        *,
        window_items: int,
        open_model: OpenModel,
        clock: Callable[[], float],
        interference: Interference,
        servers: ServerBudgets,
    ) -> None:
        self.settings = settings
        self.loaded: Loaded | None = None
        self.reason = ""
        self.items = 0
        self.failures = 0
        self.answers_seen = 0
        self.shadow_s = 0.0
        self.runs: deque[tuple[int, float]] = deque(maxlen=_TIMED_RUNS)
        self._window_items = window_items
        self._open_model = open_model
        self._clock = clock
        self._interference = interference
        self._servers = servers
        self._files: tuple[object, ...] = ()
        self._progress = Progress()

    @property
    def next_id(self) -> int:
        """Number of the item that the candidate is given next."""
        return self._progress.next_id

    @property
    def elsewhere(self) -> bool:
        """Whether the model runs behind a server, so that a round waits for it a limited time only."""
        return self.settings.model.behind is not None

    @property
    def out(self) -> bool:
        """Whether the server's breaker is open; `reason` says why."""
        breaker = self.loaded.asking.breaker if self.loaded else None
        return breaker is not None and breaker.open

    @property
    def admits(self) -> bool:
        """Whether the candidate may be given a batch now."""
        return self.loaded is not None and self.loaded.asking.admits()

    @property
    def wait_s(self) -> float:
        """Seconds until the candidate's server may be sent more bytes."""
        return self.loaded.asking.wait_s() if self.loaded else 0.0

    @property
    def under_way(self) -> tuple[Future[BatchResult], ...]:
        """Batches that the model has not answered yet, or whose results were not taken yet."""
        return self.loaded.asking.under_way if self.loaded else ()

    @property
    def server_times(self) -> ServerTimes | None:
        """Times of requests at the candidate's server; None if the server does not report them or is out."""
        model = self.loaded.model if self.loaded is not None and not self.out else None
        return model.times if isinstance(model, ServedModel) else None

    def load(self) -> bool:
        """Loads the files if they are new or changed; a failure becomes `reason`.

        Returns:
            whether a file was new or changed.
        """
        files = tuple(file_stamp(path) for path in self.settings.files)
        if files == self._files:
            return False
        self.close()
        self._files = files
        self._progress = Progress()
        self.runs.clear()
        try:
            model, profile = self._open_model(self.settings)
        except PilotfishError as error:
            self.reason = str(error)
            return True
        behind = self.settings.model.behind
        self.loaded = Loaded(
            model,
            self.settings.model.inputs,
            Asking(
                model,
                profile.output,
                at_once=behind.in_flight if behind else 0,
                clock=self._clock,
                interference=self._interference,
                server=self._servers.of(behind.url) if behind else None,
            ),
            profile,
            source_thresholds(profile),
            AnswerRing(self._window_items, len(profile.classes)),
            Binning(profile),
        )
        self.reason = ""
        return True

    def close(self) -> None:
        """Closes the model; a second call does nothing."""
        if self.loaded is not None:
            self.loaded.asking.close()
        self.loaded = None

    def asks(self, live: Array | None) -> bool:
        """Tells whether a batch needs a run of the model; `live` is the output that the traffic showed."""
        return live is None and self.loaded is not None and self.loaded.has_classes

    def give(
        self, batch: Prepared, *, tensor: str | None, live: Array | None, segments: Mapping[str, Array]
    ) -> None:
        """Gives one batch of the window to the model; if the model has no classes, only bins the inputs.

        Args:
            batch: the items.
            tensor: the request's tensor for a model whose only input has another name.
            live: the model's output as the traffic showed it, if this is the incumbent.
            segments: rows of the batch by the segment that they belong to; empty if there are no segments.
        """
        if self.loaded is None:
            return
        items = batch.batch.items
        self._progress.given(batch.first_id, items)
        try:
            inputs = self.loaded.inputs(batch.batch, tensor)
            # Items that cannot be binned are not worth a run.
            self.loaded.binning.features(batch, inputs)
            if self.asks(live):
                self.loaded.asking.ask(batch.first_id, items, inputs)
            # A server answers while the inputs are binned here.
            self.loaded.binning.add(batch, inputs, segments)
            if not self.loaded.has_classes:
                self.loaded.answers.put(batch.first_id, np.empty((items, 0)))
            elif live is not None:
                self.loaded.keep(batch.first_id, items, live)
                self.answers_seen += items
        except Exception as error:  # noqa: BLE001 - one candidate's failure must not stop the others
            self._failed(items, error)
        self.take()

    def begin_again(self, until_id: int) -> None:
        """Returns to missed items if the server is out and was tried with everything before `until_id`."""
        if self.out:
            self._progress.begin_again(until_id)

    def take(self) -> bool:
        """Takes the results that have arrived; False if there are none."""
        if self.loaded is None:
            return False
        results = self.loaded.asking.arrived()
        for result in results:
            self.shadow_s += result.seconds
            error = _kept(self.loaded, result)
            if error is None:
                self.items += result.items
                self.runs.append((result.items, result.seconds))
            else:
                self._failed(result.items, error)
            if self.loaded.asking.breaker is not None:
                self._follow_server(self.loaded.asking.breaker, result, error)
        return bool(results)

    def _failed(self, items: int, error: Exception) -> None:
        self.failures += items
        self.reason = str(error) or type(error).__name__

    def _follow_server(self, breaker: Breaker, result: BatchResult, error: Exception | None) -> None:
        """Tells the breaker and the progress what became of a batch at a server."""
        if error is None:
            was_out = breaker.open
            breaker.succeeded()
            self.reason = ""
            self._progress.answered(result.first_id, result.items, was_out=was_out)
        else:
            breaker.failed()
            again = not breaker.open and isinstance(error, UnavailableError)
            self._progress.missed(result.first_id, again=again)

    def takes(self, batch: Batch, *, tensor: str | None) -> bool:
        """Tells whether items have the profile's inputs; a candidate that is not loaded takes all items."""
        return self.loaded is None or self.loaded.takes(batch, tensor=tensor)

    def answered(self, ids: Array) -> Array:
        """Tells which items the candidate answered; bool, shape of `ids`."""
        return self.loaded.answers.has(ids) if self.loaded else np.zeros(len(ids), dtype=bool)

    def timing(self) -> scoring_pb2.ShadowTiming:
        """Returns how long the newest runs of the most frequent batch size took; empty without runs."""
        if not self.runs:
            return scoring_pb2.ShadowTiming()
        batch_size, _ = Counter(items for items, _ in self.runs).most_common(1)[0]
        seconds = [run_s for items, run_s in self.runs if items == batch_size]
        lower, median = np.quantile(seconds, (0.25, 0.5)).tolist()
        return scoring_pb2.ShadowTiming(
            batch_size=batch_size, runs=len(seconds), lower_quartile_s=lower, median_s=median
        )


def _kept(loaded: Loaded, result: BatchResult) -> Exception | None:
    """Keeps a batch's answers; returns the error if there is nothing to keep."""
    if isinstance(result.output, Exception):
        return result.output
    try:
        loaded.keep(result.first_id, result.items, result.output)
    except Exception as error:  # noqa: BLE001 - one candidate's failure must not stop the others
        return error
    return None
