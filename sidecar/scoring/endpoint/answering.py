"""Gives the window's items to the candidates, one batch at a time, and takes their answers."""

from __future__ import annotations

import numpy as np

from sidecar.scoring.endpoint.batches import Batches
from sidecar.scoring.endpoint.candidate import ShadowCandidate
from sidecar.scoring.endpoint.candidates import Candidates
from sidecar.scoring.endpoint.interference import Interference
from sidecar.scoring.endpoint.segmented_window import SegmentedWindow


class Answering:
    """Lets every candidate answer every item; the candidate that is furthest behind comes first."""

    def __init__(self, items: SegmentedWindow, candidates: Candidates, interference: Interference) -> None:
        self._items = items
        self._candidates = candidates
        self._interference = interference
        self._batches = Batches()

    def step(self, goal: int | None) -> bool:
        """Takes the answers that have arrived and gives one candidate one batch; False if there is neither.

        Less than a whole batch waits for the round, except where it is the try of a server that is out.

        Args:
            goal: number of the first item that the round under way does not need; None between rounds.
        """
        taken = [candidate.take() for candidate in self._candidates]
        resting = self._interference.wait_s() > 0
        for candidate in sorted(self._candidates, key=lambda candidate: candidate.next_id):
            enough = 1 if candidate.out else candidate.settings.model.batch
            due = self._waiting(candidate, self._items.window.next_id) >= enough or (
                goal is not None and self._waiting(candidate, goal) > 0
            )
            if due and candidate.admits and self._give(candidate, resting=resting):
                return True
        return any(taken)

    def awaited(self, goal: int, *, patient: bool) -> bool:
        """Tells whether a round over the items before `goal` must wait for a candidate.

        Args:
            goal: number of the first item that the round does not need.
            patient: whether the round still waits for servers.
        """
        if self._interference.backed_off:
            return False
        return any(self._awaited(candidate, goal, patient=patient) for candidate in self._candidates)

    def backlog(self) -> int:
        """Returns how many items the slowest candidate in this process is behind; servers do not count."""
        here = (candidate for candidate in self._candidates if not candidate.elsewhere)
        return max((self._waiting(candidate, self._items.window.next_id) for candidate in here), default=0)

    def _waiting(self, candidate: ShadowCandidate, until_id: int) -> int:
        """Returns how many items before `until_id` the candidate was not given yet."""
        if candidate.loaded is None:
            return 0
        return max(until_id - max(candidate.next_id, self._items.window.first_id), 0)

    def _awaited(self, candidate: ShadowCandidate, goal: int, *, patient: bool) -> bool:
        if candidate.elsewhere and (candidate.out or not patient):
            return False
        return bool(candidate.under_way) or self._waiting(candidate, goal) > 0

    def _give(self, candidate: ShadowCandidate, *, resting: bool) -> bool:
        """Gives a candidate its next batch; False if its model would have to run, and shadow work rests."""
        candidates, items = self._candidates, self._items
        batch = self._batches.take(items.window, candidate.next_id, candidate.settings.model.batch)
        if batch is None or candidate.loaded is None:
            return True
        live = None
        if candidate is candidates.incumbent:
            live = batch.batch.outputs.get(candidates.live_output)
        if resting and candidate.asks(live):
            return False
        ids = batch.first_id + np.arange(batch.batch.items)
        items.assign(int(ids[-1]) + 1, candidates.incumbent.loaded, tensor=candidates.tensor)
        candidate.give(batch, tensor=candidates.tensor, live=live, segments=items.rows(ids))
        return True
