"""Metrics of the newest rankings, their candidates and segments. A value that is not known is absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pilotfish.v1 import ranking_pb2
from prometheus_client.core import Metric

from sidecar.serving.board.board import Snapshot
from sidecar.serving.telemetry.families import counter, gauge

_STATES = [value.name.removeprefix("STATE_") for value in ranking_pb2.State.DESCRIPTOR.values if value.number]

_Candidate = ranking_pb2.RankedCandidate
# Name, help, and how to read the value from a candidate; None where the value is not known.
_CANDIDATE_VALUES: Final[tuple[tuple[str, str, Callable[[_Candidate], float | None]], ...]] = (
    (
        "rank",
        "Rank of the candidate: 1 is best, and tied candidates share a rank.",
        lambda one: one.rank or None,
    ),
    (
        "accuracy_ratio",
        "Estimated accuracy on the window's items.",
        lambda one: one.accuracy.value if one.HasField("accuracy") else None,
    ),
    (
        "accuracy_low_ratio",
        "Lower end of the accuracy's 90 % interval.",
        lambda one: one.accuracy.low if one.HasField("accuracy") else None,
    ),
    (
        "accuracy_high_ratio",
        "Upper end of the accuracy's 90 % interval.",
        lambda one: one.accuracy.high if one.HasField("accuracy") else None,
    ),
    (
        "best_probability_ratio",
        "Probability that the candidate is the best.",
        lambda one: one.p_best if one.HasField("p_best") else None,
    ),
    (
        "expected_regret",
        "Expected loss to the best candidate, in the first objective's unit.",
        lambda one: one.expected_regret if one.HasField("expected_regret") else None,
    ),
    (
        "nondominated_probability_ratio",
        "Probability that no other candidate is as good in all objectives and better in one.",
        lambda one: one.p_nondominated if one.HasField("p_nondominated") else None,
    ),
    (
        "efficiency_ratio",
        "Share of its costs at which another candidate would do as well; 1 if no candidate is cheaper.",
        lambda one: one.efficiency.value if one.HasField("efficiency") else None,
    ),
    (
        "feasible_probability_ratio",
        "Probability that the candidate keeps all constraints.",
        lambda one: one.p_feasible if one.HasField("p_feasible") else None,
    ),
)


def rankings(every_s: Mapping[str, float], snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    """Each endpoint's newest ranking as a whole."""
    of = ("endpoint",)
    every = gauge("ranking_every_seconds", "Configured time between rankings.", of)
    for endpoint, seconds in every_s.items():
        every.add_metric([endpoint], seconds)
    state = gauge(
        "ranking_state", "1 for the current state of the ranking, 0 for the others.", (*of, "state")
    )
    rounds = counter("ranking_rounds", "Rankings that were made.", of)
    made = gauge("ranking_made_timestamp_seconds", "Unix time at which the newest ranking was made.", of)
    items = gauge("ranking_items", "Items that the newest ranking was made from.", of)
    evidence = gauge(
        "recommendation_evidence_ratio",
        "Share of the evidence that a change of the recommendation needs; the change comes at 1.",
        of,
    )
    for endpoint, snapshot in snapshots.items():
        ranking = snapshot.ranking
        for name in _STATES:
            state.add_metric([endpoint, name], ranking_pb2.State.Name(ranking.state) == f"STATE_{name}")
        rounds.add_metric([endpoint], ranking.round)
        made.add_metric([endpoint], ranking.made_at.ToNanoseconds() / 1e9)
        items.add_metric([endpoint], ranking.items)
        if ranking.HasField("recommendation"):
            evidence.add_metric([endpoint], ranking.recommendation.evidence)
    yield from (every, state, rounds, made, items, evidence)


def drift(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    """How far each ranking is from the previous one and from the baseline."""
    of = ("endpoint", "against")
    tau = gauge("ranking_kendall_tau", "Rank correlation with an earlier ranking, -1 to 1.", of)
    overlap = gauge("ranking_overlap_ratio", "Rank-biased overlap with an earlier ranking.", of)
    top_changed = gauge(
        "ranking_top_changed", "1 if the candidates of rank 1 differ from an earlier ranking's.", of
    )
    for endpoint, snapshot in snapshots.items():
        for name, change in (
            ("previous", snapshot.ranking.since_previous),
            ("baseline", snapshot.ranking.since_baseline),
        ):
            if change.HasField("kendall_tau"):
                tau.add_metric([endpoint, name], change.kendall_tau)
            if change.HasField("overlap"):
                overlap.add_metric([endpoint, name], change.overlap)
            if change.round:
                top_changed.add_metric([endpoint, name], change.top_changed)
    yield from (tau, overlap, top_changed)


def candidates(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    """Each candidate of the newest rankings: its state, what is estimated of it, its measures."""
    one = ("endpoint", "candidate")
    state = gauge(
        "candidate_state", "1 for the current state of the candidate, 0 for the others.", (*one, "state")
    )
    incumbent = gauge("candidate_incumbent", "1 for the candidate that serves now.", one)
    recommended = gauge("candidate_recommended", "1 for the candidate that is recommended to serve.", one)
    measure = gauge(
        "candidate_measure",
        "Value of a label-free measure; `pilotfish measures` lists them.",
        (*one, "measure"),
    )
    objective, objective_low, objective_high = (
        gauge(f"candidate_objective{end}", text, (*one, "objective"))
        for end, text in (
            ("", "Estimate of the objective, whose name ends with its unit."),
            ("_low", "Lower end of the objective's 90 % interval."),
            ("_high", "Upper end of the objective's 90 % interval."),
        )
    )
    values = [(gauge(f"candidate_{name}", text, one), read) for name, text, read in _CANDIDATE_VALUES]
    for endpoint, snapshot in snapshots.items():
        for candidate in snapshot.ranking.candidates:
            labels = [endpoint, candidate.name]
            for name in _STATES:
                current = ranking_pb2.State.Name(candidate.state) == f"STATE_{name}"
                state.add_metric([*labels, name], current)
            incumbent.add_metric(labels, candidate.incumbent)
            recommended.add_metric(labels, candidate.recommended)
            for family, read in values:
                number = read(candidate)
                if number is not None:
                    family.add_metric(labels, number)
            for known in candidate.objectives:
                of = [*labels, known.name]
                objective.add_metric(of, known.value.value)
                objective_low.add_metric(of, known.value.low)
                objective_high.add_metric(of, known.value.high)
            for value in snapshot.explanations[candidate.name].measures:
                if value.HasField("value"):
                    measure.add_metric([*labels, value.name], value.value.value)
    yield from (state, incumbent, recommended, *(family for family, _ in values))
    yield from (objective, objective_low, objective_high, measure)


def segments(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    """Each segment of the newest rankings."""
    of = ("endpoint", "segment")
    share = gauge("segment_share_ratio", "Share of the window's items in the segment.", of)
    accuracy = gauge(
        "segment_accuracy_ratio", "Estimated accuracy on the segment's items.", (*of, "candidate")
    )
    for endpoint, snapshot in snapshots.items():
        for segment in snapshot.ranking.segments:
            share.add_metric([endpoint, segment.name], segment.share)
        for name, own in snapshot.segments.items():
            for candidate in own.candidates:
                if candidate.HasField("accuracy"):
                    accuracy.add_metric([endpoint, name, candidate.name], candidate.accuracy.value)
    yield from (share, accuracy)
