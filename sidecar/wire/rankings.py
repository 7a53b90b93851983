"""Between rankings and the messages that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import PROBABILITY, Constraint
from sidecar.core.preference.preference import Order, Preference
from sidecar.core.preference.value import Lexicographic, WeightedProduct, default_weights
from sidecar.core.ranking import CandidateRank, Estimate, Prospects, Ranking, Recommended, Segment, State


@dataclass(frozen=True, slots=True)
class Occasion:
    """Of what, and when, a ranking was made.

    Attributes:
        endpoint: its name.
        incumbent: the candidate that serves; empty where none does.
        number: of the round.
        made_at_s: seconds since the Unix epoch.
        preference: what put the candidates in order.
    """

    endpoint: str
    incumbent: str
    number: int
    made_at_s: float
    preference: Preference


def ranking_message(ranking: Ranking, of: Occasion, segment: str = "") -> ranking_pb2.Ranking:
    """The ranking as it is served; `segment` names the one that it is of."""
    return ranking_pb2.Ranking(
        endpoint=of.endpoint,
        segment=segment,
        round=of.number,
        made_at=_timestamp(of.made_at_s),
        items=ranking.items,
        state=_state(ranking.state),
        reason=ranking.reason,
        candidates=[_candidate(one, of.incumbent) for one in ranking.candidates],
        segments=[_segment(one) for one in ranking.segments],
        preference=_preference(of.preference),
    )


def _candidate(one: CandidateRank, incumbent: str) -> ranking_pb2.RankedCandidate:
    """One candidate's line."""
    standing = one.standing
    return ranking_pb2.RankedCandidate(
        name=one.name,
        rank=one.rank,
        state=_state(one.state),
        reason=one.reason,
        accuracy=_estimate(one.accuracy),
        incumbent=one.name == incumbent,
        objectives=[
            ranking_pb2.NamedEstimate(name=name, value=_estimate(value))
            for name, value in one.objectives.items()
        ],
        p_feasible=one.p_feasible,
        p_best=one.p_best,
        expected_regret=standing.expected_regret if standing else None,
        p_nondominated=standing.p_nondominated if standing else None,
        efficiency=_estimate(standing.efficiency if standing else None),
    )


def explanation_message(one: CandidateRank, of: Occasion) -> ranking_pb2.ExplainCandidateResponse:
    """All that is known of a candidate."""
    return ranking_pb2.ExplainCandidateResponse(
        candidate=_candidate(one, of.incumbent),
        measures=[
            ranking_pb2.MeasureValue(
                name=measure.name,
                value=_estimate(measure.estimate),
                direction=measure.direction,
                reason=measure.reason,
            )
            for measure in one.measures
        ],
        shifted_features=[
            ranking_pb2.FeatureShift(
                name=shift.name,
                divergence=shift.divergence,
                threshold=shift.threshold,
                outside_range=shift.outside_range,
            )
            for shift in one.shifted_features
        ],
        round=of.number,
        made_at=_timestamp(of.made_at_s),
        p_beats=one.standing.p_beats if one.standing else {},
    )


def recommendation_message(recommended: Recommended) -> ranking_pb2.Recommendation:
    """The recommended candidate, and what speaks against it."""
    return ranking_pb2.Recommendation(
        candidate=recommended.candidate,
        challenger=recommended.challenger,
        evidence=recommended.evidence,
        since_round=recommended.since_round,
        reason=recommended.reason,
    )


def prospects_message(prospects: Prospects) -> scoring_pb2.Prospects:
    """What a ranking was drawn from."""
    return scoring_pb2.Prospects(
        doubt=_doubt(prospects.doubt) if prospects.doubt else None,
        drawn=[
            scoring_pb2.Drawn(candidate=name, objective=objective, draws=draws)
            for name, known in prospects.draws.items()
            for objective, draws in known.items()
        ],
        reasons=prospects.reasons,
        doubts={name: _doubt(doubt) for name, doubt in prospects.doubts.items()},
    )


def read_ranking(message: ranking_pb2.Ranking, drawn: scoring_pb2.Prospects) -> Ranking:
    """The ranking that a message was made of, as far as another decision needs it."""
    draws: dict[str, dict[str, np.ndarray]] = {}
    for one in drawn.drawn:
        draws.setdefault(one.candidate, {})[one.objective] = np.array(one.draws)
    return Ranking(
        items=message.items,
        state=State.OK,
        reason="",
        candidates=tuple(_read_candidate(one) for one in message.candidates),
        prospects=Prospects(
            draws,
            _read_doubt(drawn.doubt) if drawn.HasField("doubt") else None,
            dict(drawn.reasons),
            {name: _read_doubt(doubt) for name, doubt in drawn.doubts.items()},
        ),
    )


def _preference(preference: Preference) -> ranking_pb2.Preference:
    """What counts, with nothing left to a default."""
    value = preference.value
    lexicographic = isinstance(value, Lexicographic)
    numbers = value.tolerances if isinstance(value, Lexicographic) else value.weights
    return ranking_pb2.Preference(
        objectives=[
            ranking_pb2.Objective(
                name=name,
                direction=ranking_pb2.DIRECTION_MAX if sign > 0 else ranking_pb2.DIRECTION_MIN,
                **{"tolerance" if lexicographic else "weight": number},
            )
            for (name, sign), number in zip(preference.directions.items(), numbers, strict=True)
        ],
        constraints=[
            ranking_pb2.Constraint(
                objective=one.objective,
                at_most=one.at_most,
                at_least=one.at_least,
                probability=one.probability,
            )
            for one in preference.constraints
        ],
        order=ranking_pb2.Order.Value(f"ORDER_{preference.order.name}"),
        lexicographic=lexicographic,
    )


def read_preference(
    message: ranking_pb2.Preference, default: Preference, directions: Mapping[str, int]
) -> Preference:
    """What a caller wants; where the message says nothing, the endpoint's own.

    Args:
        message: of the caller.
        default: the endpoint's.
        directions: of the objectives that need not say theirs.

    Raises:
        InvalidError: an objective's direction is not known, weights or constraints contradict each other.
    """
    read = {one.name: _direction(one, directions) for one in message.objectives}
    if len(read) < len(message.objectives):
        raise InvalidError("preference: an objective is listed twice; remove one entry")
    wanted = read or default.directions
    if message.order not in ranking_pb2.Order.values():
        raise InvalidError(
            f"preference: order {message.order} is not known; choose one of "
            f"{', '.join(ranking_pb2.Order.keys())}"
        )
    value = default.value
    if message.lexicographic:
        value = Lexicographic(tuple(one.tolerance for one in message.objectives) or (0.0,) * len(wanted))
    elif read:
        usual = default_weights(len(read))
        value = WeightedProduct(
            tuple(
                one.weight if one.HasField("weight") else weight
                for one, weight in zip(message.objectives, usual, strict=True)
            )
        )
    return Preference(
        directions=wanted,
        value=value,
        constraints=tuple(_read_constraint(one) for one in message.constraints) or default.constraints,
        order=Order[ranking_pb2.Order.Name(message.order).removeprefix("ORDER_")]
        if message.order
        else default.order,
        level=default.level,
    )


def _direction(one: ranking_pb2.Objective, directions: Mapping[str, int]) -> int:
    said = {ranking_pb2.DIRECTION_MAX: 1, ranking_pb2.DIRECTION_MIN: -1}.get(one.direction)
    known = directions.get(one.name)
    if said is None and known is None:
        raise InvalidError(
            f"preference: objective {one.name!r} is not one of {', '.join(directions)}: set its direction"
        )
    if said is not None and known is not None and said != known:
        raise InvalidError(f"preference: objective {one.name!r} has a fixed direction: leave it out")
    return said or known or 0


def _read_constraint(one: ranking_pb2.Constraint) -> Constraint:
    return Constraint(
        one.objective,
        at_most=one.at_most if one.HasField("at_most") else None,
        at_least=one.at_least if one.HasField("at_least") else None,
        probability=one.probability if one.HasField("probability") else PROBABILITY,
    )


def _read_candidate(one: ranking_pb2.RankedCandidate) -> CandidateRank:
    return CandidateRank(
        name=one.name,
        rank=one.rank,
        state=_read_state(one.state),
        reason=one.reason,
        accuracy=read_estimate(one.accuracy) if one.HasField("accuracy") else None,
        objectives={known.name: read_estimate(known.value) for known in one.objectives},
    )


def _segment(one: Segment) -> ranking_pb2.Segment:
    return ranking_pb2.Segment(
        name=one.name,
        rule=one.rule,
        share=one.share,
        items=one.ranking.items,
        state=_state(one.ranking.state),
        reason=one.ranking.reason,
        top_candidate=next((candidate.name for candidate in one.ranking.candidates if candidate.rank), ""),
    )


def _doubt(doubt: tuple[State, str]) -> scoring_pb2.Doubt:
    return scoring_pb2.Doubt(state=_state(doubt[0]), reason=doubt[1])


def _read_doubt(message: scoring_pb2.Doubt) -> tuple[State, str]:
    return _read_state(message.state), message.reason


def _state(state: State) -> ranking_pb2.State.ValueType:
    return ranking_pb2.State.Value(f"STATE_{state.name}")


def _read_state(state: ranking_pb2.State.ValueType) -> State:
    return State[ranking_pb2.State.Name(state).removeprefix("STATE_")]


def _estimate(estimate: Estimate | None) -> ranking_pb2.Estimate | None:
    if estimate is None:
        return None
    return ranking_pb2.Estimate(
        value=estimate.value, low=estimate.low, high=estimate.high, level=estimate.level
    )


def read_estimate(message: ranking_pb2.Estimate) -> Estimate:
    """Reads the estimate from a message."""
    return Estimate(message.value, message.low, message.high, message.level)


def _timestamp(seconds: float) -> Timestamp:
    """Seconds since the Unix epoch as a message."""
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp
