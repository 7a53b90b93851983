"""What a round says: estimates, measures, states, and the ranking as one immutable snapshot."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from sidecar.domain.tensors import Array


class State(enum.Enum):
    """What is known about a ranking or a candidate. The wire adds STALE, which only a server can tell."""

    OK = 1
    TIED = 2
    NEAR_CHANCE = 3
    INSUFFICIENT_DATA = 4
    OUT_OF_SUPPORT = 5
    UNAVAILABLE = 6


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the interval that should hold the truth in `level` of cases."""

    value: float
    low: float
    high: float
    level: float = 0.9


@dataclass(frozen=True, slots=True)
class MeasureValue:
    """One measure of one candidate; `estimate` is None where `reason` says why it is unknown."""

    name: str
    direction: int
    estimate: Estimate | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FeatureShift:
    """A feature that left the source's support; see `sidecar.measures.adaptivity`.

    Attributes:
        divergence: Jensen-Shannon divergence between window and source, nats.
        threshold: 95 % quantile of the same between the source's partitions and the source.
        outside_range: share of the window's values outside the source's range.
    """

    name: str
    divergence: float
    threshold: float
    outside_range: float


@dataclass(frozen=True, slots=True)
class CandidateRank:
    """One candidate's line in the ranking; rank 0 and no numbers where it could not be ranked."""

    name: str
    rank: int
    state: State
    reason: str
    accuracy: Estimate | None
    p_best: float | None
    measures: tuple[MeasureValue, ...] = ()
    shifted_features: tuple[FeatureShift, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A kind of traffic inside the window, with its own ranking.

    Attributes:
        name: stable from round to round.
        rule: how items are assigned, in words.
        share: of the window's items.
        ranking: of its items alone; has no segments of its own.
        items: which of the items that were ranked it holds; bool [n].
    """

    name: str
    rule: str
    share: float
    ranking: Ranking
    items: Array = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of an endpoint, best first.

    Attributes:
        items: window items that every ranked candidate answered.
        candidates: ranked ones by rank, then those without.
        segments: kinds of traffic that the whole was weighed from, largest first; empty without any.
    """

    items: int
    state: State
    reason: str
    candidates: tuple[CandidateRank, ...]
    segments: tuple[Segment, ...] = ()
