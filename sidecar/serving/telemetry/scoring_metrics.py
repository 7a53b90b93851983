"""Metrics of the scoring process: its window, the candidates' shadow work, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from sidecar.serving.board.board import Snapshot
from sidecar.serving.telemetry.families import counter, gauge


def scoring(
    snapshots: Mapping[str, Snapshot], *, up: bool, restarts: int, queued_bytes: int
) -> Iterator[Metric]:
    """What the scoring process reports of itself, and whether it runs."""
    of, one = ("endpoint",), ("endpoint", "candidate")
    items = counter("window_items_added", "Items that entered the window since scoring started.", of)
    evicted = counter(
        "window_items_evicted", "Items that left the window because newer items needed room.", of
    )
    held = gauge("window_items", "Items in the window.", of)
    size = gauge("window_bytes", "Bytes of the window's items.", of)
    rejected = counter(
        "requests_rejected", "Sampled requests from which no items could be made.", (*of, "reason")
    )
    live = counter("incumbent_answers_seen", "Items that came with the incumbent's live answer.", of)
    round_s = gauge("round_duration_seconds", "Time that the newest ranking took.", of)
    shadow_items = counter("shadow_items", "Items that the candidate answered.", one)
    shadow_s = counter("shadow_seconds", "Time that the candidate's model took to answer items.", one)
    failures = counter("shadow_failures", "Items that the candidate could not answer.", one)
    backed_off = gauge("shadow_backed_off", "1 while shadow work pauses to protect the live traffic.", of)
    ratio = gauge(
        "interference_latency_ratio",
        "Upper quartile of the live latency during shadow work, divided by that in pauses.",
        of,
    )
    queue = gauge(
        "shadow_server_queue_seconds",
        "Mean time that a request waits in the queue of the candidate's server.",
        one,
    )
    compute = gauge(
        "shadow_server_compute_seconds", "Mean time that the candidate's server computes for a request.", one
    )
    cpu = resident = None
    for endpoint, snapshot in snapshots.items():
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
    running = gauge("scoring_up", "1 while the scoring process runs.")
    running.add_metric([], up)
    ends = counter("scoring_restarts", "Times that the scoring process ended unexpectedly and was restarted.")
    ends.add_metric([], restarts)
    queued = gauge("scoring_queue_bytes", "Bytes of sampled requests that wait for scoring.")
    queued.add_metric([], queued_bytes)
    yield from (running, ends, queued)
    if cpu is not None and resident is not None:
        spent = counter("scoring_cpu_seconds", "CPU time of the scoring process.")
        spent.add_metric([], cpu)
        memory = gauge("scoring_resident_bytes", "Resident memory of the scoring process.")
        memory.add_metric([], resident)
        yield from (spent, memory)
