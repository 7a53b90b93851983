"""What a round says: estimates, measures, states, and the ranking as one immutable snapshot."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sidecar.core.tensors import Array, Floats


class State(enum.Enum):
    """What is known about a ranking or a candidate. The wire adds STALE, which only a server can tell."""

    OK = 1
    TIED = 2
    NEAR_CHANCE = 3
    INSUFFICIENT_DATA = 4
    OUT_OF_SUPPORT = 5
    UNAVAILABLE = 6
    BREAKS_CONSTRAINT = 7


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
    """A feature that left the source's support; see `sidecar.estimation.measures.adaptivity`.

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
class Known:
    """What is known of a candidate beside its accuracy.

    Attributes:
        objectives: by name, which ends with the unit.
        reason: why there is no more; empty where nothing went wrong.
    """

    objectives: Mapping[str, Estimate] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a candidate stands among those that could be compared, by what the caller prefers.

    Attributes:
        p_best: probability of being worth most.
        expected_regret: what serving it is expected to lose to the best one, in the first objective's unit.
        p_nondominated: probability that no other is at least as good in everything and better in something.
        efficiency: the share of its costs at which another one would do as well, 1 on the frontier.
        p_beats: probability of being worth more than each of the others, by name.
    """

    p_best: float
    expected_regret: float
    p_nondominated: float
    efficiency: Estimate
    p_beats: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CandidateRank:
    """One candidate's line in the ranking; rank 0 where it could not be ranked.

    Attributes:
        objectives: what is known of all that counts or is bounded, by objective, accuracy too.
        p_feasible: probability that it keeps all constraints; None where there are none, or nobody knows.
        standing: None where it could not be compared.
    """

    name: str
    rank: int
    state: State
    reason: str
    accuracy: Estimate | None
    measures: tuple[MeasureValue, ...] = ()
    shifted_features: tuple[FeatureShift, ...] = ()
    objectives: Mapping[str, Estimate] = field(default_factory=dict)
    p_feasible: float | None = None
    standing: Standing | None = None

    @property
    def p_best(self) -> float | None:
        """Probability of being worth most; None where it could not be compared."""
        return self.standing.p_best if self.standing else None


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a ranking was drawn from: joint draws of all that is known of each candidate.

    Attributes:
        draws: by candidate and objective, shape [B]; one that is not known is absent.
        doubt: why the accuracies deserve no trust; None where they do.
        reasons: why no more is known of a candidate, by name; only where something went wrong.
        doubts: why a candidate's own accuracy deserves none, by name; only where it does not.
    """

    draws: Mapping[str, Mapping[str, Floats]]
    doubt: tuple[State, str] | None
    reasons: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, tuple[State, str]] = field(default_factory=dict)

    def of(self, names: Sequence[str], objectives: Sequence[str]) -> Floats:
        """Draws of candidates of which all these objectives are known, shape [B, C, K]."""
        return np.stack(
            [np.stack([self.draws[name][one] for one in objectives], axis=-1) for name in names], axis=1
        )


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
class Recommended:
    """The candidate to serve; it changes only on evidence that was gathered over rounds.

    Attributes:
        challenger: the one that most evidence speaks for; empty where there is no other.
        evidence: what it has of the evidence that a change takes, 0 to 1 on a logarithmic scale.
        since_round: in which the candidate was recommended first.
        reason: of the last change, or why it stays.
    """

    candidate: str
    challenger: str
    evidence: float
    since_round: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of an endpoint, best first.

    Attributes:
        items: window items that every ranked candidate answered.
        candidates: ranked ones by rank, then those without.
        segments: kinds of traffic that the whole was weighed from, largest first; empty without any.
        prospects: what it was drawn from; None where nothing was estimated.
        right: expected correctness of each answer, by candidate [items]; of the whole window only, and
            empty where nothing was estimated.
    """

    items: int
    state: State
    reason: str
    candidates: tuple[CandidateRank, ...]
    segments: tuple[Segment, ...] = ()
    prospects: Prospects | None = field(default=None, compare=False, repr=False)
    right: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)
