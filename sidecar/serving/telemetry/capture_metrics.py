"""Metrics of the traffic that arrives: the accounting, the captures, the servers that are watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey
from sidecar.serving.capture.core.intake import Accounting
from sidecar.serving.telemetry.families import counter, gauge
from sidecar.wire.reasons import DropReason
from sidecar.wire.v2.repository import IndexState, WatchKey


def captured(
    accounting: Mapping[str, Accounting], captures: Mapping[CaptureKey, CaptureCounts]
) -> Iterator[Metric]:
    """What became of each endpoint's requests, and what each capture went through."""
    of = ("endpoint",)
    seen = counter("requests_seen", "Requests that capture saw; equals sampled + skipped + dropped.", of)
    sampled = counter("requests_sampled", "Requests handed over to scoring.", of)
    skipped = counter("requests_skipped", "Requests that the sampler left out.", of)
    dropped = counter(
        "requests_dropped", "Requests that the sampler wanted and capture could not keep.", (*of, "reason")
    )
    for endpoint, counts in accounting.items():
        seen.add_metric([endpoint], counts.seen)
        sampled.add_metric([endpoint], counts.sampled)
        skipped.add_metric([endpoint], counts.skipped)
        for reason in DropReason:
            dropped.add_metric([endpoint, reason.value], counts.dropped.get(reason.value, 0))
    yield from (seen, sampled, skipped, dropped)
    at = ("capture", "listen")
    families: list[tuple[GaugeMetricFamily | CounterMetricFamily, str]] = [
        (gauge("capture_connections", "Open client connections.", at), "connections"),
        (
            counter("capture_connections_opened", "Client connections that were opened since the start.", at),
            "connections_total",
        ),
        (
            counter(
                "capture_upstream_failures", "Connections that ended because the upstream accepted none.", at
            ),
            "upstream_failures",
        ),
        (
            counter(
                "capture_unreadable_connections", "Connections that pass through and cannot be read.", at
            ),
            "unreadable_connections",
        ),
        (
            counter("capture_unreadable_calls", "Calls whose model name could not be read.", at),
            "unreadable_calls",
        ),
        (
            counter("capture_unwatched_calls", "Calls for models that no endpoint watches.", at),
            "unwatched_calls",
        ),
        (
            counter(
                "capture_waiting_calls",
                "Calls not observed because Envoy would have waited for an answer.",
                at,
            ),
            "waiting_calls",
        ),
        (counter("capture_lost_calls", "Calls that Envoy reports as not copied.", at), "lost_calls"),
    ]
    for family, name in families:
        for key, one in captures.items():
            number = getattr(one, name)
            if number is not None:
                family.add_metric(key, number)
        yield family


def discovered(discovery: Mapping[WatchKey, tuple[IndexState, int]]) -> Iterator[Metric]:
    """What the repository index of each watched server said."""
    of = ("endpoint", "url", "models")
    state = gauge("discovery_state", "1 for the result of the last read of a server's index.", (*of, "state"))
    models = gauge("discovery_models", "Models in a server's index that match the pattern, as last read.", of)
    for key, (current, number) in discovery.items():
        for name in IndexState:
            state.add_metric([*key, name.value], name is current)
        models.add_metric([*key], number)
    yield from (state, models)
