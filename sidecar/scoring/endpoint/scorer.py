"""One endpoint in the scoring process, put together from its parts.

Data flows one way: `observe` puts items into the `SegmentedWindow`, `Answering` gives them to the
`Candidates`, `compare` aligns the answers, and `Rounds` ranks the candidates when the `Schedule` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np

from sidecar.config.schema import Endpoint
from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Batch
from sidecar.costs.candidate import Costs
from sidecar.scoring.endpoint.answering import Answering
from sidecar.scoring.endpoint.asking import BatchResult
from sidecar.scoring.endpoint.candidate import ShadowCandidate
from sidecar.scoring.endpoint.candidates import Candidates
from sidecar.scoring.endpoint.comparison import Comparison, compare
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.endpoint.rounds import Round, Rounds
from sidecar.scoring.endpoint.schedule import Schedule
from sidecar.scoring.endpoint.segmented_window import SegmentedWindow
from sidecar.scoring.endpoint.window import Window
from sidecar.scoring.runners.model import OpenModel
from sidecar.scoring.runners.server_budget import ServerBudgets

__all__ = ["EndpointScorer", "Round"]

# If a larger share of the window is unanswered, new items would push items out before they are answered.
_BACKLOG_SHARE = 0.5


class EndpointScorer:
    """Takes items, lets the candidates answer them, and ranks. All methods belong to one thread.

    Attributes:
        settings: the endpoint's settings.
        interference: compares the model server's latency beside shadow work with that in rests from it.
        rejected: sampled requests that could not become items, counted by reason.
    """

    def __init__(
        self,
        settings: Endpoint,
        *,
        open_model: OpenModel,
        costs: Costs,
        clock: Callable[[], float],
        servers: ServerBudgets | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares an endpoint; `configure` takes new settings later.

        Args:
            settings: the endpoint's candidates, window and ranking.
            open_model: opens a candidate's model and profile.
            costs: what is known of each candidate beside its accuracy.
            clock: seconds, monotonic.
            servers: budgets of the model servers, which all endpoints share; None gives the endpoint its own.
            alive: is called during long work, between one piece of it and the next.
        """
        self.settings = settings
        self.interference = Interference(clock)
        self.rejected: Counter[str] = Counter()
        self._clock = clock
        self._alive = alive
        self._candidates = Candidates(
            open_model=open_model,
            clock=clock,
            interference=self.interference,
            servers=servers or ServerBudgets(clock),
        )
        self._schedule = Schedule(clock)
        self._rounds = Rounds(settings, costs=costs, clock=clock, alive=alive)
        self._ranked: object = None
        self._start(settings)
        self.configure(settings)

    def _start(self, settings: Endpoint) -> None:
        """Begins with an empty window."""
        self._items = SegmentedWindow(settings)
        self._answering = Answering(self._items, self._candidates, self.interference)
        self._schedule.abandon()

    @property
    def candidates(self) -> tuple[ShadowCandidate, ...]:
        """The candidates, in the configuration's order."""
        return tuple(self._candidates)

    @property
    def window(self) -> Window:
        """The newest items."""
        return self._items.window

    @property
    def rounds(self) -> int:
        """Number of the last round; 0 before the first."""
        return self._rounds.number

    @property
    def under_way(self) -> list[Future[BatchResult]]:
        """Batches that servers have not answered yet."""
        return self._candidates.under_way

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings; candidates that did not change keep their answers."""
        if (settings.window, settings.segments) != (self.settings.window, self.settings.segments):
            self._candidates.close()
            self._start(settings)
        self.settings = settings
        self._items.configure(settings)
        self._candidates.configure(settings)
        self._rounds.configure(settings)
        self._ranked = None
        self._schedule.hasten()

    def close(self) -> None:
        """Closes all candidates; a second call does nothing."""
        self._candidates.close()

    def load(self) -> None:
        """Loads the candidates whose files are new or changed; the next round shows the result."""
        for candidate in self._candidates:
            self._alive()
            if candidate.load():
                self._ranked = None
                self._rounds.forget(candidate.settings.name)

    def observe(self, batch: Batch, segment: bytes = b"") -> None:
        """Takes the items of one request; rejects what no model can answer, or nobody has time to answer.

        Args:
            batch: the items.
            segment: the request's value of the metadata key `segments.metadata`; empty if it has none.
        """
        if not all(np.isfinite(array).all() for array in batch.inputs.values() if array.dtype.kind == "f"):
            self.reject("not_finite")
            return
        if not self._candidates.incumbent.takes(batch, tensor=self._candidates.tensor):
            self.reject("wrong_input")
            return
        # While shadow work backs off no model answers, and the window follows the traffic.
        backlog = 0 if self.interference.backed_off else self._answering.backlog()
        if backlog > self.settings.window.items * _BACKLOG_SHARE:
            self.reject("cpu_budget")
            return
        self.keep(batch, self._items.values(batch, segment))

    def keep(self, batch: Batch, values: Sequence[str] = ()) -> None:
        """Puts the items of one request into the window without a check.

        What leaves the window leaves the candidates' statistics too, so that no query has to evict.

        Args:
            batch: the items.
            values: the value that names each item's segment; empty if the request brings no values.
        """
        if self._items.append(batch, values):
            self._candidates.evict(self.window.first_id, self._items.names)

    def reject(self, reason: str) -> None:
        """Counts a sampled request that could not become items."""
        self.rejected[reason] += 1

    def due_in(self) -> float:
        """Returns the seconds until there may be something to do; answers from servers may come before."""
        due_s = self._schedule.due_in()
        if self._schedule.goal is None and not due_s:
            return 0.0
        # A round that is due and cannot be made waits for the first rest to end.
        rests_s = [self.interference.wait_s(), *(candidate.wait_s for candidate in self._candidates)]
        return min((rest_s for rest_s in (due_s, *rests_s) if rest_s), default=0.0)

    def step(self) -> bool:
        """Takes the answers that have arrived, gives one candidate one batch; False if there is neither."""
        return self._answering.step(self._schedule.goal)

    def catch_up(self) -> None:
        """Lets the candidates answer all that the window holds, however long that takes.

        Items whose server is out stay unanswered.
        """
        goal = self.window.next_id
        while self._answering.step(goal) or self.under_way:
            if not self._answering.step(goal):
                wait(self.under_way, return_when=FIRST_COMPLETED)

    def round(self) -> Round | None:
        """Makes a round if it is due, every candidate has caught up, and anything new is known.

        The round waits a limited time for candidates behind servers; what they answer later counts in the
        next round.
        """
        start, every_s = self._clock(), self.settings.ranking.every
        if not self._schedule.due:
            return None
        if self._schedule.goal is None:
            self._schedule.begin(self.window.next_id, every_s)
            self.load()
            for candidate in self._candidates:
                candidate.begin_again(self.window.next_id)
        goal = self._schedule.goal
        if goal is None or self._answering.awaited(goal, patient=self._schedule.patient):
            return None
        self._schedule.end(start, every_s)
        answered = [(candidate.items, candidate.out) for candidate in self._candidates]
        known = goal, answered, self.interference.backed_off
        fresh, self._ranked = known != self._ranked, known
        return self.rank() if fresh else None

    def rank(self) -> Round:
        """Makes a round now, from what the candidates have answered so far."""
        began_s = self._clock()
        self._items.settle()
        comparison = self._compared()
        segments = comparison.segments(self._items)
        return self._rounds.make(self.settings, comparison, segments, self._candidates.names, began_s=began_s)

    def evidence(self) -> tuple[tuple[str, ...], Evidence, dict[str, str]]:
        """Returns what is known of the window so far; changes nothing.

        Returns:
            the names of the candidates that can be compared, what they answered to the items that all of
            them answered, and why each of the other candidates cannot be compared, by name.
        """
        comparison = self._compared()
        return comparison.names, comparison.evidence(), comparison.unavailable

    def _compared(self) -> Comparison:
        return compare(self._candidates, self._items, self.interference.reason)
