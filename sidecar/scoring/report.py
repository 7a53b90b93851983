"""Turns a round into the message that the scoring process sends."""

from __future__ import annotations

from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import Endpoint
from sidecar.scoring.endpoint.rounds import Round
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.wire.rankings import (
    Occasion,
    explanation_message,
    prospects_message,
    ranking_message,
    recommendation_message,
)


def report(
    scorer: EndpointScorer,
    made: Round,
    *,
    generation: int,
    made_at_s: float,
    cpu_s: float,
    resident_bytes: int,
) -> scoring_pb2.Report:
    """Returns everything that the serving process is told after a round."""
    of = occasion(scorer.settings, made, made_at_s)
    whole = ranking_message(made.ranking, of)
    if made.recommended is not None:
        whole.recommendation.CopyFrom(recommendation_message(made.recommended))
    drawn = {"": made.ranking, **{segment.name: segment.ranking for segment in made.ranking.segments}}
    return scoring_pb2.Report(
        generation=generation,
        endpoint=of.endpoint,
        ranking=whole,
        explanations=[explanation_message(line, of) for line in made.ranking.candidates],
        segments=[ranking_message(segment.ranking, of, segment.name) for segment in made.ranking.segments],
        counters=_counters(scorer, made, cpu_s, resident_bytes),
        prospects={
            name: prospects_message(ranking.prospects) for name, ranking in drawn.items() if ranking.prospects
        },
    )


def occasion(settings: Endpoint, made: Round, made_at_s: float) -> Occasion:
    """Returns which endpoint a round is of, and when it was made; `made_at_s` counts from the Unix epoch."""
    return Occasion(settings.name, settings.incumbent, made.number, made_at_s, settings.ranking.preference)


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
        shadow_items={name: shadow.items for name, shadow in candidates.items()},
        shadow_s={name: shadow.shadow_s for name, shadow in candidates.items()},
        shadow_failures={name: shadow.failures for name, shadow in candidates.items()},
        answers_seen=candidates[scorer.settings.incumbent].answers_seen,
        resident_bytes=resident_bytes,
        shadow_timings={name: shadow.timing() for name, shadow in candidates.items() if shadow.runs},
        backed_off=scorer.interference.backed_off,
        latency_ratio=scorer.interference.ratio,
        server_times={
            name: scoring_pb2.ServerTimes(queue_s=times.queue_s, compute_s=times.compute_s)
            for name, times in ((name, shadow.server_times) for name, shadow in candidates.items())
            if times is not None
        },
    )
