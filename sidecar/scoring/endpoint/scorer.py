"""One endpoint in the scoring process: its window, its candidates, its rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import reduce

import numpy as np

from sidecar.config.schema import Endpoint
from sidecar.config.schema import Segments as SegmentSettings
from sidecar.core.class_shares import ClassShares
from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.labels import label_space
from sidecar.core.ranking import Ranking, Recommended
from sidecar.core.tensors import Array, Batch
from sidecar.costs.candidate import Costs
from sidecar.estimation.ranking.order import RankSettings, rank
from sidecar.scoring.endpoint.asking import Answer
from sidecar.scoring.endpoint.batches import Batches
from sidecar.scoring.endpoint.candidate import Loaded, ShadowCandidate
from sidecar.scoring.endpoint.input_segments import InputSegments
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.endpoint.recommending import Recommender
from sidecar.scoring.endpoint.segments import OTHER, Segments, cleaned, tensor_values
from sidecar.scoring.endpoint.window import Window
from sidecar.scoring.runners.model import OpenModel
from sidecar.scoring.runners.server_budget import ServerBudgets

_Available = list[tuple[ShadowCandidate, Loaded]]

# A candidate that answered less of the window than this is not compared on what is left.
_ANSWERED_SHARE = 0.5
# With more of the window than this unanswered, new items would leave it before they are answered.
_BACKLOG_SHARE = 0.5
# Of the time between rounds: how long one that is due waits for answers from servers.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """A ranking and how it came about."""

    number: int
    ranking: Ranking
    seconds: float
    recommended: Recommended | None = None


class EndpointScorer:
    """Takes items, lets the candidates answer them, ranks. Not safe for threads; needs none."""

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
            settings: its candidates, window and ranking.
            open_model: opens a candidate's model and profile.
            costs: what is known of each candidate beside its accuracy.
            clock: seconds, monotonic.
            servers: what may be asked of model servers, shared by all endpoints.
            alive: called during long work, between one piece of it and the next.
        """
        self.settings = settings
        self.interference = Interference(clock)
        self.window = Window(items=settings.window.items, size_bytes=settings.window.bytes)
        self.rejected: Counter[str] = Counter()
        self.rounds = 0
        self._open_model = open_model
        self._costs = costs
        self._recommender = Recommender(settings.incumbent, level=settings.ranking.false_alarm)
        self._clock = clock
        self._servers = servers or ServerBudgets(clock)
        self._alive = alive
        self._batches = Batches()
        self._segments = Segments(items=settings.window.items)
        self._by_inputs: tuple[Loaded, InputSegments] | None = None
        self._due_at = clock()
        self._ranked: object = None
        self._goal: int | None = None
        self._patient_to = 0.0
        self._candidates: dict[str, ShadowCandidate] = {}
        self.configure(settings)

    @property
    def candidates(self) -> tuple[ShadowCandidate, ...]:
        """The candidates, in the configuration's order."""
        return tuple(self._candidates[candidate.name] for candidate in self.settings.candidates)

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings; candidates that did not change keep their answers."""
        if (settings.window, settings.segments) != (self.settings.window, self.settings.segments):
            self.window = Window(items=settings.window.items, size_bytes=settings.window.bytes)
            self._batches = Batches()
            self._segments = Segments(items=settings.window.items)
            self._by_inputs = None
            self._goal = None
            self.close()
        if _valued_by(settings) != _valued_by(self.settings):
            self._recommender.restart(level=settings.ranking.false_alarm)
        kept = self._candidates
        self.settings = settings
        self._segments.min_items = settings.ranking.min_items
        self._segments.most = settings.segments.max if settings.segments else 0
        self._candidates = {
            wanted.name: kept[wanted.name]
            if wanted.name in kept and kept[wanted.name].settings == wanted
            else ShadowCandidate(
                wanted,
                window_items=settings.window.items,
                open_model=self._open_model,
                clock=self._clock,
                interference=self.interference,
                servers=self._servers,
            )
            for wanted in settings.candidates
        }
        for name, candidate in kept.items():
            if self._candidates.get(name) is not candidate:
                candidate.close()
        self._ranked = None
        self._due_at = self._clock()

    def close(self) -> None:
        """Lets the candidates go; a second time does nothing."""
        for candidate in self._candidates.values():
            candidate.close()
        self._candidates = {}

    def load(self) -> None:
        """Loads the candidates whose files are new or changed; the next round tells what came of it."""
        for candidate in self.candidates:
            self._alive()
            if candidate.load():
                self._ranked = None
                self._recommender.forget(candidate.settings.name)

    def observe(self, batch: Batch, segment: bytes = b"") -> None:
        """Takes the items of one request; rejects what no model can answer, or nobody has time for.

        Args:
            batch: the items.
            segment: the request's value of the metadata key `segments.metadata`; empty for none.
        """
        if not all(np.isfinite(array).all() for array in batch.inputs.values() if array.dtype.kind == "f"):
            self.reject("not_finite")
            return
        incumbent = self._candidates[self.settings.incumbent]
        if not incumbent.takes(batch, tensor=self.settings.input.tensor):
            self.reject("wrong_input")
            return
        # While shadow work backs off nobody answers, and the window follows the traffic.
        if not self.interference.backed_off and self._backlog() > self.settings.window.items * _BACKLOG_SHARE:
            self.reject("cpu_budget")
            return
        self.keep(batch, self._values(batch, segment))

    def keep(self, batch: Batch, values: Sequence[str] = ()) -> None:
        """Puts the items of one request into the window, and rejects none.

        Args:
            batch: the items.
            values: names the segment of each; empty where nothing came with them.
        """
        self.window.append(batch)
        if self.settings.segments is None:
            return
        kept = min(batch.items, len(self.window))
        self._segments.evict(self.window.first_id)
        self._segments.put(self.window.next_id - kept, values[batch.items - kept :] or [""] * kept)

    def reject(self, reason: str) -> None:
        """Counts a sampled request that could not become items."""
        self.rejected[reason] += 1

    def due_in(self) -> float:
        """Seconds until there may be something to do; 0 when there is. Answers may come before."""
        due_s = max((self._due_at if self._goal is None else self._patient_to) - self._clock(), 0.0)
        if self._goal is None and not due_s:
            return 0.0
        # A round that is due and cannot be made waits for what rests.
        rests_s = [self.interference.wait_s(), *(candidate.wait_s for candidate in self.candidates)]
        return min((rest_s for rest_s in (due_s, *rests_s) if rest_s), default=0.0)

    @property
    def under_way(self) -> list[Future[Answer]]:
        """Batches that servers have yet to answer."""
        return [answer for candidate in self.candidates for answer in candidate.under_way]

    def step(self) -> bool:
        """Takes the answers that are there, and gives one candidate one batch; False when there was neither.

        Less than a whole batch waits for the round, but where it is to try a server that was left alone.
        """
        taken = [candidate.take() for candidate in self.candidates]
        resting = self.interference.wait_s() > 0
        for candidate in sorted(self.candidates, key=lambda one: one.next_id):
            enough = 1 if candidate.out else candidate.settings.model.batch
            due = self._waiting(candidate, self.window.next_id) >= enough or (
                self._goal and self._waiting(candidate, self._goal)
            )
            if due and candidate.admits and self._give(candidate, resting=resting):
                return True
        return any(taken)

    def catch_up(self) -> None:
        """Lets the candidates answer all that the window holds, however long that takes.

        What a server still has not answered when it is to be left alone stays unanswered.
        """
        self._goal = self.window.next_id
        while self.step() or self.under_way:
            if not self.step():
                wait(self.under_way, return_when=FIRST_COMPLETED)

    def round(self) -> Round | None:
        """Ranks, when it is due, every candidate has caught up, and anything new is known.

        Candidates behind servers are waited for a while only; what they answer later is the next round's.
        """
        start = self._clock()
        if start < self._due_at:
            return None
        if self._goal is None:
            self._goal = self.window.next_id
            self._patient_to = start + self.settings.ranking.every * _PATIENCE
            self.load()
            for candidate in self.candidates:
                candidate.begin_again(self._goal)
        if any(self._awaited(candidate, self._goal) for candidate in self.candidates):
            return None
        answered = [(candidate.items, candidate.out) for candidate in self.candidates]
        known = self._goal, answered, self.interference.backed_off
        fresh, self._ranked = known != self._ranked, known
        self._goal = None
        self._due_at = start + self.settings.ranking.every
        return self.rank() if fresh else None

    def rank(self) -> Round:
        """Ranks now, by what the candidates have answered so far."""
        start, settings = self._clock(), self.settings.ranking
        self.rounds += 1
        ids, available, unavailable = self._compared()
        costs = {one.settings.name: self._costs.known(one.settings, one.timing()) for one, _ in available}
        ranking = rank(
            [candidate.settings.name for candidate, _ in available],
            _evidence(ids, available),
            unavailable=unavailable,
            # The same draws every round: what did not change is not drawn otherwise.
            rng=np.random.default_rng(settings.seed),
            settings=RankSettings(
                min_items=settings.min_items,
                preference=settings.preference,
                measures=settings.measures,
                tolerance=settings.tolerance,
                alive=self._alive,
            ),
            segments=self._split(ids, available),
            costs=costs,
        )
        recommended = self._recommender.update(
            self.rounds,
            ranking,
            ids,
            settings.preference,
            incumbent=self.settings.incumbent,
            candidates=self._candidates,
        )
        return Round(self.rounds, ranking, self._clock() - start, recommended)

    def evidence(self) -> tuple[tuple[str, ...], Evidence, dict[str, str]]:
        """What is known of the window so far.

        Returns:
            the names of the candidates that can be compared, what they answered to the items that
            all of them did, and why the others cannot be compared, by name.
        """
        ids, available, unavailable = self._compared()
        names = tuple(candidate.settings.name for candidate, _ in available)
        return names, _evidence(ids, available), unavailable

    def _compared(self) -> tuple[Array, _Available, dict[str, str]]:
        """The candidates that can be compared, the items that all of them answered, why not the others."""
        ids = np.arange(self.window.first_id, self.window.next_id)
        available: _Available = []
        unavailable: dict[str, str] = {}
        for candidate in self.candidates:
            reason = self._obstacle(candidate, ids)
            if reason or candidate.loaded is None:
                unavailable[candidate.settings.name] = reason or "not loaded"
            else:
                available.append((candidate, candidate.loaded))
        for _, loaded in available:
            loaded.binning.evict(self.window.first_id, {*self._segments.names, OTHER})
        if available:
            ids = ids[reduce(np.logical_and, (candidate.answered(ids) for candidate, _ in available))]
        return ids, available, unavailable

    def _split(self, ids: Array, available: _Available) -> list[SegmentEvidence]:
        """The items by segment; none where the window is not split, or all of it is without a name."""
        names, split = self._segments.names, self.settings.segments
        if split is None or not names or not available:
            return []
        found = self._segments.of(ids)
        return [
            SegmentEvidence(
                name,
                self._rule(split, name),
                items=found == name,
                targets=tuple(loaded.binning.of_segment(name) for _, loaded in available),
            )
            for name in (*names, OTHER)
            if (found == name).any()
        ]

    def _values(self, batch: Batch, segment: bytes) -> list[str]:
        """What names the segment of each item; empty where nothing came with the request."""
        split = self.settings.segments
        if split is not None and split.tensor is not None:
            return tensor_values(batch.inputs.get(split.tensor), batch.items)
        if split is not None and split.metadata is not None:
            return [cleaned(segment)] * batch.items
        return []

    def _rule(self, split: SegmentSettings, name: str) -> str:
        """How items are assigned to a segment, in words."""
        if self._by_inputs is not None:
            return "inputs: not placed, or too few of a kind" if name == OTHER else self._by_inputs[1].rule
        of = f"tensor {split.tensor}" if split.tensor is not None else f"metadata {split.metadata}"
        return f"{of}: any other value, or none" if name == OTHER else f"{of} = {name}"

    def _place(self, until_id: int) -> None:
        """Gives the items before `until_id` their segments, where these are found from the inputs."""
        split, incumbent = self.settings.segments, self._candidates[self.settings.incumbent]
        if split is None or not split.inputs or incumbent.loaded is None:
            return
        if self._by_inputs is None or self._by_inputs[0] is not incumbent.loaded:
            # Distances are those that the incumbent's profile gives; another profile has its own.
            self._by_inputs = incumbent.loaded, InputSegments(split.max, self.settings.ranking.seed)
        tensor = self.settings.input.tensor
        self._by_inputs[1].place(
            self.window, self._segments, until_id, lambda batch: incumbent.standardised(batch, tensor=tensor)
        )

    def _waiting(self, candidate: ShadowCandidate, until_id: int) -> int:
        """How many items before `until_id` the candidate has yet to answer."""
        if candidate.loaded is None:
            return 0
        return max(until_id - max(candidate.next_id, self.window.first_id), 0)

    def _awaited(self, candidate: ShadowCandidate, until_id: int) -> bool:
        """Whether a round over the items before `until_id` waits for the candidate."""
        if self.interference.backed_off:
            return False
        if not candidate.elsewhere:
            return self._waiting(candidate, until_id) > 0
        if candidate.out or self._clock() >= self._patient_to:
            return False
        return bool(candidate.under_way) or self._waiting(candidate, until_id) > 0

    def _backlog(self) -> int:
        """How far behind the slowest candidate is of those that run here: a server holds up its own only."""
        here = (candidate for candidate in self.candidates if not candidate.elsewhere)
        return max((self._waiting(candidate, self.window.next_id) for candidate in here), default=0)

    def _give(self, candidate: ShadowCandidate, *, resting: bool) -> bool:
        """Gives a candidate its next batch; False where its model would have to work, and rests."""
        batch = self._batches.take(self.window, candidate.next_id, candidate.settings.model.batch)
        if batch is None or candidate.loaded is None:
            return True
        incumbent = candidate.settings.name == self.settings.incumbent
        live = batch.batch.outputs.get(self._live_output()) if incumbent else None
        if resting and candidate.asks(live):
            return False
        ids = batch.first_id + np.arange(batch.batch.items)
        self._place(int(ids[-1]) + 1)
        named = self._segments.names
        found = self._segments.of(ids) if named else np.empty(0)
        candidate.loaded.binning.evict(self.window.first_id, {*named, OTHER})
        candidate.give(
            batch,
            tensor=self.settings.input.tensor,
            live=live,
            segments={name: np.flatnonzero(found == name) for name in set(found)},
        )
        return True

    def _live_output(self) -> str:
        """The tensor of the incumbent's live answer that holds class probabilities."""
        loaded = self._candidates[self.settings.incumbent].loaded
        return self.settings.output.tensor or (loaded.profile.output if loaded else "")

    def _obstacle(self, candidate: ShadowCandidate, ids: Array) -> str:
        """Why a candidate cannot be compared; empty when it can."""
        if candidate.loaded is None or candidate.out:
            return candidate.reason
        if len(ids) and candidate.answered(ids).mean() < _ANSWERED_SHARE:
            who = "its server" if candidate.elsewhere else "it"
            held = self.interference.reason
            return candidate.reason or held or f"{who} answered too little of the window so far"
        own, (name, common) = candidate.loaded.profile.classes, self._common_classes()
        if bool(own) != bool(common):
            gives, other = ("classes", "none") if own else ("no classes", "some")
            return f"it gives {gives} and {name} {other}; build both profiles with --no-classes, or neither"
        if own and not set(own) & set(common):
            return (
                f"its classes {_few(own)} and {_few(common)} of {name} have none in common; "
                "build its profile with --classes"
            )
        return ""

    def _common_classes(self) -> tuple[str, tuple[str, ...]]:
        """The candidate that the others must go with, the incumbent where it is loaded, and its classes."""
        incumbent_first = (self._candidates[self.settings.incumbent], *self.candidates)
        return next(
            (one.settings.name, one.loaded.profile.classes)
            for one in incumbent_first
            if one.loaded is not None
        )


def _valued_by(settings: Endpoint) -> tuple[object, ...]:
    """What evidence for the recommendation was gathered under."""
    of = settings.ranking
    return settings.window, settings.segments, of.objectives, of.prefer, of.constraints, of.false_alarm


def _evidence(ids: Array, available: _Available) -> Evidence:
    """What the candidates answered to items that all of them did."""
    labels = label_space(loaded.profile.classes for _, loaded in available)
    return Evidence(
        profiles=tuple(loaded.profile for _, loaded in available),
        targets=tuple(loaded.binning.target.statistics() for _, loaded in available),
        thresholds=tuple(loaded.thresholds for _, loaded in available),
        labels=labels,
        probabilities=ClassShares(
            [loaded.answers.shares(ids, loaded.profile.classes, labels) for _, loaded in available],
            items=len(ids) if available else 0,
            classes=len(labels),
        ),
        energies=tuple(
            loaded.answers.energies(ids) if loaded.profile.output_kind == "logits" else None
            for _, loaded in available
        ),
    )


def _few(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}]"  # noqa: PLR2004 - enough to tell
