"""Judges the candidates on the window and on each of its segments, before anything is ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.estimate import Correctness, correctness, signals_of
from sidecar.estimation.accuracy.learned import Signals
from sidecar.estimation.accuracy.segments import agreement_segments
from sidecar.estimation.accuracy.support import Support, support
from sidecar.estimation.measures.likeness import duplicate_weights


@dataclass(frozen=True, slots=True)
class View:
    """The window, or one segment of it."""

    evidence: Evidence
    support: Support


@dataclass(frozen=True, slots=True)
class Judged:
    """A window whose candidates were judged, each segment with enough items by itself.

    Attributes:
        whole: the window.
        parts: its segments; none where it is not split.
        views: each segment.
        found: the judgement of each segment, or none where it has too few items.
        left: the judgement of all items that no judged segment holds, or none where there are none.
    """

    whole: View
    parts: Sequence[SegmentEvidence]
    views: Sequence[View]
    found: Sequence[Sequence[Correctness]]
    left: Sequence[Correctness]

    @property
    def all(self) -> list[Correctness]:
        """All judgements; together they are of every item once."""
        return [one for some in (*self.found, self.left) for one in some]

    def signals(self) -> Signals:
        """What the window as a whole says of the candidates' accuracies."""
        return signals_of(self.all, self.whole.evidence, self.whole.support)

    def right(self) -> Floats:
        """Expected correctness of each answer, from the part that it was judged in [C, n]."""
        candidates, items = len(self.whole.evidence.profiles), self.whole.evidence.probabilities.shape[1]
        right, rest = np.zeros((candidates, items)), np.ones(items, dtype=bool)
        for part, found in zip(self.parts, self.found, strict=True):
            for one in found:
                right[:, part.items] = one.right
                rest &= ~part.items
        for one in self.left:
            right[:, rest] = one.right
        return right


def judge(
    evidence: Evidence,
    segments: Sequence[SegmentEvidence],
    *,
    min_items: int,
    find_segments: bool,
    rng: np.random.Generator,
    alive: Callable[[], None] = lambda: None,
) -> Judged:
    """Judges the candidates on each segment with enough items, and on what is left of the window.

    Args:
        evidence: one round's, of at least one candidate.
        segments: known kinds of traffic; an item belongs to one of them at most.
        min_items: least number of items of a segment that is judged by itself.
        find_segments: whether to look for kinds of traffic where nothing is known of the inputs.
        rng: for the search.
        alive: called between one piece of work and the next.
    """
    parts = segments or (_found(evidence, min_items, rng) if find_segments else [])
    whole = _viewed(evidence)
    views = [_viewed(evidence.where(part.items, part.targets)) for part in parts]
    rest = np.ones(evidence.probabilities.shape[1], dtype=bool)
    if not evidence.labels or not len(rest):
        return Judged(whole, parts, views, [[] for _ in views], [])
    # Of the whole window: a part that is easy for all would not tell copies apart.
    shared = duplicate_weights(evidence.probabilities, evidence.votes)
    found: list[list[Correctness]] = []
    for part, view in zip(parts, views, strict=True):
        alive()
        enough = part.items.sum() >= min_items
        found.append([correctness(view.evidence, view.support, shared)] if enough else [])
        rest &= ~part.items if enough else True
    if not rest.any():
        return Judged(whole, parts, views, found, [])
    left = whole if rest.all() else _viewed(evidence.where(rest, evidence.targets))
    return Judged(whole, parts, views, found, [correctness(left.evidence, left.support, shared)])


def _viewed(evidence: Evidence) -> View:
    return View(evidence, support(evidence))


def _found(evidence: Evidence, min_items: int, rng: np.random.Generator) -> list[SegmentEvidence]:
    """Segments by the candidates' answers, where nothing is known of the inputs."""
    if not evidence.labels or any(target is not None for target in evidence.targets):
        return []
    groups: Array | None = agreement_segments(evidence.votes, len(evidence.labels), min_items, rng)
    if groups is None:
        return []
    rule = "answers: which candidates agree with the others on an item"
    return [
        SegmentEvidence(f"answers-{number + 1}", rule, groups == number, evidence.targets)
        for number in range(int(groups.max()) + 1)
    ]
