"""Defines the result of a round: estimates, measures, states, and the ranking as a frozen snapshot."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sidecar.core.tensors import Array, Floats


class State(enum.Enum):
    """What is known about a ranking or a candidate. The serving process adds STALE, by its clock."""

    OK = 1
    TIED = 2
    NEAR_CHANCE = 3
    INSUFFICIENT_DATA = 4
    OUT_OF_SUPPORT = 5
    UNAVAILABLE = 6
    BREAKS_CONSTRAINT = 7


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval that should contain the true value with probability `level`."""

    value: float
    low: float
    high: float
    level: float = 0.9


@dataclass(frozen=True, slots=True)
class MeasureValue:
    """One measure of one candidate; if `estimate` is None, `reason` says why the value is unknown."""

    name: str
    direction: int
    estimate: Estimate | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FeatureShift:
    """A feature that left the source's support; see `sidecar.estimation.measures.adaptivity`.

    Attributes:
        divergence: Jensen-Shannon divergence between window and source, nats.
        threshold: 95 % quantile of the divergence between the source's partitions and the source, nats.
        outside_range: share of the window's values that lie outside the source's range.
    """

    name: str
    divergence: float
    threshold: float
    outside_range: float


@dataclass(frozen=True, slots=True)
class Known:
    """A candidate's objectives other than accuracy.

    Attributes:
        objectives: estimates by the objective's name, which ends with its unit.
        reason: why an objective could not be estimated; empty if there was no failure.
    """

    objectives: Mapping[str, Estimate] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a candidate compares with the other compared candidates under the caller's preference.

    Attributes:
        p_best: probability that the candidate has the highest value.
        expected_regret: expected loss of value against the best candidate, in the first objective's unit.
        p_nondominated: probability that no candidate is at least as good in every objective and better in
            one.
        efficiency: share of the candidate's costs at which the frontier does as well; 1 on the frontier.
        p_beats: probability that the candidate has a higher value than another candidate, by its name.
    """

    p_best: float
    expected_regret: float
    p_nondominated: float
    efficiency: Estimate
    p_beats: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CandidateRank:
    """One candidate's line in the ranking; the rank is 0 if the candidate could not be ranked.

    Attributes:
        objectives: estimates of the objectives that count or have a constraint, accuracy included, by name.
        p_feasible: probability that all constraints hold; None without constraints, or if it is not known.
        standing: how the candidate compares with the others; None if it could not be compared.
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
        """Probability that the candidate has the highest value; None if it could not be compared."""
        return self.standing.p_best if self.standing else None


@dataclass(frozen=True, slots=True)
class Prospects:
    """The joint draws of all candidates' objectives that a ranking was computed from.

    Attributes:
        draws: draws by candidate and objective, shape [B]; an unknown objective is absent.
        doubt: state and reason why no accuracy can be trusted; None if they can.
        reasons: why a candidate's objectives could not be estimated, by name; only candidates with a failure.
        doubts: state and reason why a candidate's own accuracy cannot be trusted, by name; only such
            candidates.
    """

    draws: Mapping[str, Mapping[str, Floats]]
    doubt: tuple[State, str] | None
    reasons: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, tuple[State, str]] = field(default_factory=dict)

    def of(self, names: Sequence[str], objectives: Sequence[str]) -> Floats:
        """Returns the draws of candidates whose objectives are all known, shape [B, C, K]."""
        return np.stack(
            [np.stack([self.draws[name][objective] for objective in objectives], axis=-1) for name in names],
            axis=1,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A kind of traffic inside the window, with its own ranking.

    Attributes:
        name: the segment's name, which stays the same from round to round.
        rule: how items are assigned to the segment, in words.
        share: the segment's share of the window's items.
        ranking: ranking of the segment's items alone; it has no segments.
        items: whether each ranked item belongs to the segment; bool [n].
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
        candidate: name of the candidate to serve.
        challenger: name of the candidate with the most evidence against it; empty if there is no other
            candidate.
        evidence: the challenger's share of the evidence that a change needs, 0 to 1 on a logarithmic scale.
        since_round: number of the round that recommended the candidate first.
        reason: why the recommendation last changed, or why it does not change.
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
        items: number of the window's items that every compared candidate answered.
        candidates: the ranked candidates by rank, then the candidates without a rank.
        segments: rankings of the window's segments, largest segment first; empty without segments.
        prospects: the draws that the ranking was computed from; None if nothing was estimated.
        right: expected correctness of each answer, by candidate [items]; only for the whole window, and
            empty if nothing was estimated.
    """

    items: int
    state: State
    reason: str
    candidates: tuple[CandidateRank, ...]
    segments: tuple[Segment, ...] = ()
    prospects: Prospects | None = field(default=None, compare=False, repr=False)
    right: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)
