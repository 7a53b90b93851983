"""From a round to the message that leaves the scoring process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

from sidecar.domain.ranking import CandidateRank, Estimate, Ranking, Segment, State
from sidecar.scoring.endpoint import EndpointScorer, Round


def ranking_message(made: Round, *, endpoint: str, incumbent: str, made_at_s: float) -> ranking_pb2.Ranking:
    """The ranking as it is served; `made_at_s` counts from the Unix epoch."""
    message = _ranking(made.ranking, made.number, endpoint, incumbent, made_at_s)
    message.segments.extend(_segment(one) for one in made.ranking.segments)
    return message


def segment_messages(
    made: Round, *, endpoint: str, incumbent: str, made_at_s: float
) -> list[ranking_pb2.Ranking]:
    """Each segment's own ranking, in the order of the whole's segments."""
    messages = []
    for one in made.ranking.segments:
        message = _ranking(one.ranking, made.number, endpoint, incumbent, made_at_s)
        message.segment = one.name
        messages.append(message)
    return messages


def explanations(
    made: Round, *, incumbent: str, made_at_s: float
) -> list[ranking_pb2.ExplainCandidateResponse]:
    """What is known of each candidate, in the ranking's order."""
    return [
        ranking_pb2.ExplainCandidateResponse(
            candidate=_candidate(one, incumbent),
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
            round=made.number,
            made_at=_timestamp(made_at_s),
        )
        for one in made.ranking.candidates
    ]


def report(
    scorer: EndpointScorer,
    made: Round,
    *,
    generation: int,
    made_at_s: float,
    cpu_s: float,
    resident_bytes: int,
) -> scoring_pb2.Report:
    """All that the serving process is told after a round."""
    endpoint, incumbent = scorer.settings.name, scorer.settings.incumbent
    return scoring_pb2.Report(
        generation=generation,
        endpoint=endpoint,
        ranking=ranking_message(made, endpoint=endpoint, incumbent=incumbent, made_at_s=made_at_s),
        explanations=explanations(made, incumbent=incumbent, made_at_s=made_at_s),
        segments=segment_messages(made, endpoint=endpoint, incumbent=incumbent, made_at_s=made_at_s),
        counters=_counters(scorer, made, cpu_s, resident_bytes),
    )


def _counters(
    scorer: EndpointScorer, made: Round, cpu_s: float, resident_bytes: int
) -> scoring_pb2.ScoringCounters:
    candidates = {candidate.settings.name: candidate for candidate in scorer.candidates}
    return scoring_pb2.ScoringCounters(
        items=scorer.window.next_id,
        items_evicted=scorer.window.evicted,
        requests_rejected=scorer.rejected,
        window_items=len(scorer.window),
        window_bytes=scorer.window.size_bytes,
        round_s=made.seconds,
        cpu_s=cpu_s,
        shadow_items={name: one.items for name, one in candidates.items()},
        shadow_s={name: one.shadow_s for name, one in candidates.items()},
        shadow_failures={name: one.failures for name, one in candidates.items()},
        answers_seen=candidates[scorer.settings.incumbent].answers_seen,
        resident_bytes=resident_bytes,
        shadow_timings={name: _timing(one.runs) for name, one in candidates.items() if one.runs},
    )


def _timing(runs: Collection[tuple[int, float]]) -> scoring_pb2.ShadowTiming:
    batch_size, _ = Counter(items for items, _ in runs).most_common(1)[0]
    seconds = [one for items, one in runs if items == batch_size]
    lower, median = np.quantile(seconds, (0.25, 0.5)).tolist()
    return scoring_pb2.ShadowTiming(
        batch_size=batch_size, runs=len(seconds), lower_quartile_s=lower, median_s=median
    )


def _ranking(
    ranking: Ranking, number: int, endpoint: str, incumbent: str, made_at_s: float
) -> ranking_pb2.Ranking:
    return ranking_pb2.Ranking(
        endpoint=endpoint,
        round=number,
        made_at=_timestamp(made_at_s),
        items=ranking.items,
        state=_state(ranking.state),
        reason=ranking.reason,
        candidates=[_candidate(one, incumbent) for one in ranking.candidates],
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


def _state(state: State) -> ranking_pb2.State.ValueType:
    return ranking_pb2.State.Value(f"STATE_{state.name}")


def _candidate(one: CandidateRank, incumbent: str) -> ranking_pb2.RankedCandidate:
    return ranking_pb2.RankedCandidate(
        name=one.name,
        rank=one.rank,
        state=_state(one.state),
        reason=one.reason,
        accuracy=_estimate(one.accuracy),
        p_best=one.p_best,
        incumbent=one.name == incumbent,
    )


def _estimate(estimate: Estimate | None) -> ranking_pb2.Estimate | None:
    if estimate is None:
        return None
    return ranking_pb2.Estimate(
        value=estimate.value, low=estimate.low, high=estimate.high, level=estimate.level
    )


def _timestamp(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp
