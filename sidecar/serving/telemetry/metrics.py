"""Prometheus metrics, declared in one table's order and read at scrape time; no state of its own.

A gauge without a value is absent. No label grows with requests: endpoints, candidates, measures,
segments, reasons and states are all bounded by the configuration or by written-out lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from pilotfish.v1 import ranking_pb2
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.serving.board.board import Snapshot
from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey
from sidecar.serving.capture.core.intake import Accounting
from sidecar.wire.reasons import DropReason
from sidecar.wire.v2.repository import IndexState, WatchKey

_STATES = [value.name.removeprefix("STATE_") for value in ranking_pb2.State.DESCRIPTOR.values if value.number]

_Candidate = ranking_pb2.RankedCandidate
# Name, text, and what it reads of a candidate; None where that is not known.
_CANDIDATE_VALUES: Final[tuple[tuple[str, str, Callable[[_Candidate], float | None]], ...]] = (
    ("rank", "Rank, 1 is best; ties share one.", lambda one: one.rank or None),
    (
        "accuracy_ratio",
        "Estimated accuracy.",
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
        "Probability of being worth most.",
        lambda one: one.p_best if one.HasField("p_best") else None,
    ),
    (
        "expected_regret",
        "Expected loss to the best candidate, in the first objective's unit.",
        lambda one: one.expected_regret if one.HasField("expected_regret") else None,
    ),
    (
        "nondominated_probability_ratio",
        "Probability that no other candidate dominates it.",
        lambda one: one.p_nondominated if one.HasField("p_nondominated") else None,
    ),
    (
        "efficiency_ratio",
        "Share of its costs at which another candidate would do as well.",
        lambda one: one.efficiency.value if one.HasField("efficiency") else None,
    ),
    (
        "feasible_probability_ratio",
        "Probability that it keeps all constraints.",
        lambda one: one.p_feasible if one.HasField("p_feasible") else None,
    ),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the metrics tell, at one moment."""

    accounting: Mapping[str, Accounting]
    ranking_every_s: Mapping[str, float]
    snapshots: Mapping[str, Snapshot]
    captures: Mapping[CaptureKey, CaptureCounts]
    discovery: Mapping[WatchKey, tuple[IndexState, int]]
    scoring_up: bool
    scoring_restarts: int
    queued_bytes: int
    watchers: int
    reloads: int
    reload_failures: int
    refused: bool


class Metrics(Collector):
    """Turns a reading into metric families at every scrape."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """All metric families."""
        reading = self._read()
        yield from _capture(reading)
        yield from _ranking(reading)
        yield from _drift(reading.snapshots)
        yield from _candidates(reading.snapshots)
        yield from _segments(reading.snapshots)
        yield from _discovery(reading)
        yield from _scoring(reading)
        yield from _self(reading)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the families are known at the scrape."""
        return ()


def _gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pilotfish_{name}", text, labels=tuple(labels))


def _counter(name: str, text: str, labels: Iterable[str] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"pilotfish_{name}", text, labels=tuple(labels))


def _capture(reading: Reading) -> Iterator[Metric]:
    of = ("endpoint",)
    seen = _counter("requests_seen", "Requests that capture saw: sampled + skipped + dropped.", of)
    sampled = _counter("requests_sampled", "Requests handed over to scoring.", of)
    skipped = _counter("requests_skipped", "Requests that the sampler left out.", of)
    dropped = _counter(
        "requests_dropped", "Requests that were wanted and could not be kept.", (*of, "reason")
    )
    for endpoint, counts in reading.accounting.items():
        seen.add_metric([endpoint], counts.seen)
        sampled.add_metric([endpoint], counts.sampled)
        skipped.add_metric([endpoint], counts.skipped)
        for reason in DropReason:
            dropped.add_metric([endpoint, reason.value], counts.dropped.get(reason.value, 0))
    yield from (seen, sampled, skipped, dropped)
    at = ("capture", "listen")
    families: list[tuple[GaugeMetricFamily | CounterMetricFamily, str]] = [
        (_gauge("capture_connections", "Open client connections.", at), "connections"),
        (
            _counter("capture_connections_opened", "Client connections since start.", at),
            "connections_total",
        ),
        (
            _counter("capture_upstream_failures", "Connections for which the upstream was not there.", at),
            "upstream_failures",
        ),
        (
            _counter("capture_unreadable_connections", "Connections that could not be read.", at),
            "unreadable_connections",
        ),
        (
            _counter("capture_unreadable_calls", "Calls whose model could not be told.", at),
            "unreadable_calls",
        ),
        (_counter("capture_unwatched_calls", "Calls for models of no endpoint.", at), "unwatched_calls"),
        (
            _counter("capture_waiting_calls", "Calls let go as Envoy would have waited for answers.", at),
            "waiting_calls",
        ),
        (_counter("capture_lost_calls", "Calls that Envoy says it could not copy.", at), "lost_calls"),
    ]
    for family, name in families:
        for key, one in reading.captures.items():
            number = getattr(one, name)
            if number is not None:
                family.add_metric(key, number)
        yield family


def _ranking(reading: Reading) -> Iterator[Metric]:
    of = ("endpoint",)
    every = _gauge("ranking_every_seconds", "Time between rankings, as configured.", of)
    for endpoint, seconds in reading.ranking_every_s.items():
        every.add_metric([endpoint], seconds)
    state = _gauge("ranking_state", "1 for the ranking's state.", (*of, "state"))
    rounds = _counter("ranking_rounds", "Rankings made.", of)
    made = _gauge("ranking_made_timestamp_seconds", "When the newest ranking was made.", of)
    items = _gauge("ranking_items", "Items behind the newest ranking.", of)
    evidence = _gauge("recommendation_evidence_ratio", "Share of what changing the recommendation takes.", of)
    for endpoint, snapshot in reading.snapshots.items():
        ranking = snapshot.ranking
        for name in _STATES:
            state.add_metric([endpoint, name], ranking_pb2.State.Name(ranking.state) == f"STATE_{name}")
        rounds.add_metric([endpoint], ranking.round)
        made.add_metric([endpoint], ranking.made_at.ToNanoseconds() / 1e9)
        items.add_metric([endpoint], ranking.items)
        if ranking.HasField("recommendation"):
            evidence.add_metric([endpoint], ranking.recommendation.evidence)
    yield from (every, state, rounds, made, items, evidence)


def _drift(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    of = ("endpoint", "against")
    tau = _gauge("ranking_kendall_tau", "Rank correlation with an earlier ranking, -1 to 1.", of)
    overlap = _gauge("ranking_overlap_ratio", "Rank-biased overlap with an earlier ranking.", of)
    top_changed = _gauge("ranking_top_changed", "1 where others lead than in an earlier ranking.", of)
    for endpoint, snapshot in snapshots.items():
        for name, drift in (
            ("previous", snapshot.ranking.since_previous),
            ("baseline", snapshot.ranking.since_baseline),
        ):
            if drift.HasField("kendall_tau"):
                tau.add_metric([endpoint, name], drift.kendall_tau)
            if drift.HasField("overlap"):
                overlap.add_metric([endpoint, name], drift.overlap)
            if drift.round:
                top_changed.add_metric([endpoint, name], drift.top_changed)
    yield from (tau, overlap, top_changed)


def _candidates(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    one = ("endpoint", "candidate")
    state = _gauge("candidate_state", "1 for the candidate's state.", (*one, "state"))
    incumbent = _gauge("candidate_incumbent", "1 for the candidate that serves.", one)
    recommended = _gauge("candidate_recommended", "1 for the candidate to serve.", one)
    measure = _gauge("candidate_measure", "A label-free measure of `pilotfish measures`.", (*one, "measure"))
    objective, objective_low, objective_high = (
        _gauge(f"candidate_objective{end}", text, (*one, "objective"))
        for end, text in (
            ("", "Estimate of what counts; the objective's name ends with its unit."),
            ("_low", "Lower end of the objective's 90 % interval."),
            ("_high", "Upper end of the objective's 90 % interval."),
        )
    )
    values = [(_gauge(f"candidate_{name}", text, one), read) for name, text, read in _CANDIDATE_VALUES]
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


def _segments(snapshots: Mapping[str, Snapshot]) -> Iterator[Metric]:
    of = ("endpoint", "segment")
    share = _gauge("segment_share_ratio", "Share of the window's items in the segment.", of)
    accuracy = _gauge(
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


def _discovery(reading: Reading) -> Iterator[Metric]:
    of = ("endpoint", "url", "models")
    state = _gauge(
        "discovery_state", "1 for what became of the last look at a server's index.", (*of, "state")
    )
    models = _gauge("discovery_models", "Models of a server that fit, when its index was last read.", of)
    for key, (current, number) in reading.discovery.items():
        for name in IndexState:
            state.add_metric([*key, name.value], name is current)
        models.add_metric([*key], number)
    yield from (state, models)


def _scoring(reading: Reading) -> Iterator[Metric]:
    of, one = ("endpoint",), ("endpoint", "candidate")
    items = _counter("window_items_added", "Items that entered the window since scoring started.", of)
    evicted = _counter("window_items_evicted", "Items that left the window for newer ones.", of)
    held = _gauge("window_items", "Items in the window.", of)
    size = _gauge("window_bytes", "Bytes of the window's items.", of)
    rejected = _counter("requests_rejected", "Sampled requests that could not become items.", (*of, "reason"))
    live = _counter("incumbent_answers_seen", "Items whose incumbent answer came with the traffic.", of)
    round_s = _gauge("round_duration_seconds", "Time the newest ranking took.", of)
    shadow_items = _counter("shadow_items", "Items that the candidate answered.", one)
    shadow_s = _counter("shadow_seconds", "Time spent in the candidate's model.", one)
    failures = _counter("shadow_failures", "Items that the candidate could not answer.", one)
    backed_off = _gauge("shadow_backed_off", "1 while shadow work backs off for the model server.", of)
    ratio = _gauge(
        "interference_latency_ratio",
        "Live latency beside shadow work over that in rests, upper quartiles.",
        of,
    )
    queue = _gauge("shadow_server_queue_seconds", "Mean wait of a request at the candidate's server.", one)
    compute = _gauge(
        "shadow_server_compute_seconds", "Mean work on a request at the candidate's server.", one
    )
    cpu = resident = None
    for endpoint, snapshot in reading.snapshots.items():
        counters = snapshot.counters
        items.add_metric([endpoint], counters.items)
        evicted.add_metric([endpoint], counters.items_evicted)
        held.add_metric([endpoint], counters.window_items)
        size.add_metric([endpoint], counters.window_bytes)
        live.add_metric([endpoint], counters.answers_seen)
        round_s.add_metric([endpoint], counters.round_s)
        backed_off.add_metric([endpoint], counters.backed_off)
        if counters.HasField("latency_ratio"):
            ratio.add_metric([endpoint], counters.latency_ratio)
        for reason, count in sorted(counters.requests_rejected.items()):
            rejected.add_metric([endpoint, reason], count)
        for name in sorted(counters.shadow_items):
            shadow_items.add_metric([endpoint, name], counters.shadow_items[name])
            shadow_s.add_metric([endpoint, name], counters.shadow_s[name])
            failures.add_metric([endpoint, name], counters.shadow_failures[name])
        for name in sorted(counters.server_times):
            queue.add_metric([endpoint, name], counters.server_times[name].queue_s)
            compute.add_metric([endpoint, name], counters.server_times[name].compute_s)
        cpu = max(cpu or 0.0, counters.cpu_s)
        resident = counters.resident_bytes
    yield from (items, evicted, held, size, rejected, live, round_s, shadow_items, shadow_s, failures)
    yield from (backed_off, ratio, queue, compute)
    up = _gauge("scoring_up", "1 while the scoring process runs.")
    up.add_metric([], reading.scoring_up)
    restarts = _counter("scoring_restarts", "Ends of the scoring process that were not asked for.")
    restarts.add_metric([], reading.scoring_restarts)
    queued = _gauge("scoring_queue_bytes", "Sampled requests that wait for scoring.")
    queued.add_metric([], reading.queued_bytes)
    yield from (up, restarts, queued)
    if cpu is not None and resident is not None:
        spent = _counter("scoring_cpu_seconds", "CPU time of the scoring process.")
        spent.add_metric([], cpu)
        memory = _gauge("scoring_resident_bytes", "Resident memory of the scoring process.")
        memory.add_metric([], resident)
        yield from (spent, memory)


def _self(reading: Reading) -> Iterator[Metric]:
    watchers = _gauge("watchers", "Open WatchRanking streams.")
    watchers.add_metric([], reading.watchers)
    reloads = _counter("config_reloads", "Changed configuration files that were taken.")
    reloads.add_metric([], reading.reloads)
    failures = _counter("config_reload_failures", "Changed configuration files that were refused.")
    failures.add_metric([], reading.reload_failures)
    refused = _gauge("config_refused", "1 while the file on disk is refused and an older one is in force.")
    refused.add_metric([], reading.refused)
    build = _gauge("build_info", "1, with the version.", ("version",))
    build.add_metric([metadata.version("pilotfish")], 1)
    yield from (watchers, reloads, failures, refused, build)
