"""One endpoint in the scoring process: its window, its candidates, its rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from sidecar.config.schema import Endpoint
from sidecar.domain.evidence import Evidence
from sidecar.domain.labels import align, label_space
from sidecar.domain.ranking import Ranking
from sidecar.domain.tensors import Array, Batch
from sidecar.ranking.order import RankSettings, rank
from sidecar.scoring.batches import Batches
from sidecar.scoring.candidate import Loaded, OpenModel, ShadowCandidate
from sidecar.window.window import Window

# A candidate that answered less of the window than this is not compared on what is left.
_ANSWERED_SHARE = 0.5
# With more of the window than this unanswered, new items would leave it before they are answered.
_BACKLOG_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """A ranking and how it came about."""

    number: int
    ranking: Ranking
    seconds: float


class EndpointScorer:
    """Takes items, lets the candidates answer them, ranks. Not safe for threads; needs none."""

    def __init__(self, settings: Endpoint, *, open_model: OpenModel, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.window = Window(items=settings.window.items, size_bytes=settings.window.bytes)
        self.rejected: Counter[str] = Counter()
        self.rounds = 0
        self._open_model = open_model
        self._clock = clock
        self._batches = Batches()
        self._due_at = clock()
        self._ranked_id = -1
        self._goal: int | None = None
        self._candidates: dict[str, ShadowCandidate] = {}
        self.configure(settings)

    @property
    def candidates(self) -> tuple[ShadowCandidate, ...]:
        """The candidates, in the configuration's order."""
        return tuple(self._candidates[candidate.name] for candidate in self.settings.candidates)

    def configure(self, settings: Endpoint) -> None:
        """Takes new settings; candidates that did not change keep their answers."""
        if settings.window != self.settings.window:
            self.window = Window(items=settings.window.items, size_bytes=settings.window.bytes)
            self._batches = Batches()
            self._goal = None
            self._candidates = {}
        kept = self._candidates
        self.settings = settings
        self._candidates = {
            wanted.name: kept[wanted.name]
            if wanted.name in kept and kept[wanted.name].settings == wanted
            else ShadowCandidate(
                wanted, window_items=settings.window.items, open_model=self._open_model, clock=self._clock
            )
            for wanted in settings.candidates
        }
        self._ranked_id = -1
        self._due_at = self._clock()

    def load(self) -> None:
        """Loads the candidates whose files are new or changed; the next round tells what came of it."""
        for candidate in self.candidates:
            if candidate.load():
                self._ranked_id = -1

    def observe(self, batch: Batch) -> None:
        """Takes the items of one request; rejects what no model can answer, or nobody has time for."""
        if not all(np.isfinite(array).all() for array in batch.inputs.values() if array.dtype.kind == "f"):
            self.reject("not_finite")
            return
        incumbent = self._candidates[self.settings.incumbent]
        if not incumbent.takes(batch, tensor=self.settings.input.tensor):
            self.reject("wrong_input")
            return
        if self._backlog() > self.settings.window.items * _BACKLOG_SHARE:
            self.reject("cpu_budget")
            return
        self.window.append(batch)

    def reject(self, reason: str) -> None:
        """Counts a sampled request that could not become items."""
        self.rejected[reason] += 1

    def due_in(self) -> float:
        """Seconds until the next round; 0 when it is due."""
        return max(self._due_at - self._clock(), 0.0)

    def step(self) -> bool:
        """Lets one candidate answer one batch; False when there is nothing to do yet.

        Less than a whole batch waits for the round.
        """
        for candidate in sorted(self.candidates, key=lambda one: one.next_id):
            waiting = self._waiting(candidate, self.window.next_id)
            if waiting >= candidate.settings.onnx.batch or (
                self._goal and self._waiting(candidate, self._goal)
            ):
                self._answer(candidate)
                return True
        return False

    def round(self) -> Round | None:
        """Ranks, when it is due, every candidate has caught up, and anything new is known."""
        if self.due_in():
            return None
        start = self._clock()
        if self._goal is None:
            self._goal = self.window.next_id
            self.load()
        if any(self._waiting(candidate, self._goal) for candidate in self.candidates):
            return None
        fresh, self._ranked_id = self._ranked_id != self._goal, self._goal
        self._goal = None
        self._due_at = start + self.settings.ranking.every
        if not fresh:
            return None
        self.rounds += 1
        ranking = self._rank()
        return Round(self.rounds, ranking, self._clock() - start)

    def _waiting(self, candidate: ShadowCandidate, until_id: int) -> int:
        """How many items before `until_id` the candidate has yet to answer."""
        if candidate.loaded is None:
            return 0
        return max(until_id - max(candidate.next_id, self.window.first_id), 0)

    def _backlog(self) -> int:
        return max(
            (self._waiting(candidate, self.window.next_id) for candidate in self.candidates), default=0
        )

    def _answer(self, candidate: ShadowCandidate) -> None:
        batch = self._batches.take(self.window, candidate.next_id, candidate.settings.onnx.batch)
        if batch is not None and candidate.loaded is not None:
            candidate.loaded.target.evict(self.window.first_id)
            incumbent = candidate.settings.name == self.settings.incumbent
            live = batch.batch.outputs.get(self._live_output()) if incumbent else None
            candidate.answer(batch, tensor=self.settings.input.tensor, live=live)

    def _live_output(self) -> str:
        """The tensor of the incumbent's live answer that holds class probabilities."""
        loaded = self._candidates[self.settings.incumbent].loaded
        return self.settings.output.tensor or (loaded.profile.output if loaded else "")

    def _rank(self) -> Ranking:
        ids = np.arange(self.window.first_id, self.window.next_id)
        available: list[tuple[ShadowCandidate, Loaded]] = []
        unavailable: dict[str, str] = {}
        for candidate in self.candidates:
            reason = self._obstacle(candidate, ids)
            if reason or candidate.loaded is None:
                unavailable[candidate.settings.name] = reason or "not loaded"
            else:
                available.append((candidate, candidate.loaded))
        for _, loaded in available:
            loaded.target.evict(self.window.first_id)
        if available:
            ids = ids[reduce(np.logical_and, (candidate.answered(ids) for candidate, _ in available))]
        labels = label_space(loaded.profile.classes for _, loaded in available)
        evidence = Evidence(
            profiles=tuple(loaded.profile for _, loaded in available),
            targets=tuple(loaded.target.statistics() for _, loaded in available),
            thresholds=tuple(loaded.thresholds for _, loaded in available),
            labels=labels,
            probabilities=np.stack(
                [align(loaded.answers.of(ids), loaded.profile.classes, labels) for _, loaded in available]
            )
            if available
            else np.zeros((0, 0, 0)),
        )
        return rank(
            [candidate.settings.name for candidate, _ in available],
            evidence,
            unavailable=unavailable,
            rng=np.random.default_rng([self.settings.ranking.seed, self.rounds]),
            settings=RankSettings(min_items=self.settings.ranking.min_items),
        )

    def _obstacle(self, candidate: ShadowCandidate, ids: Array) -> str:
        """Why a candidate cannot be compared; empty when it can."""
        if candidate.loaded is None:
            return candidate.reason
        if len(ids) and candidate.answered(ids).mean() < _ANSWERED_SHARE:
            return candidate.reason or "it answered too little of the window"
        classes = self._incumbent_classes()
        if classes and not set(classes) & set(candidate.loaded.profile.classes):
            return (
                f"its classes {_few(candidate.loaded.profile.classes)} and the incumbent's "
                f"{_few(classes)} have none in common; build its profile with --classes"
            )
        return ""

    def _incumbent_classes(self) -> tuple[str, ...]:
        loaded = self._candidates[self.settings.incumbent].loaded
        return loaded.profile.classes if loaded else ()


def _few(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}]"  # noqa: PLR2004 - enough to tell
