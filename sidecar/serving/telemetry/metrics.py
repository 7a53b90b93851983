"""Prometheus metrics, read at scrape time; they have no state of their own.

A gauge without a value is absent. No label grows with requests: endpoints, candidates, measures,
segments, reasons and states are all bounded by the configuration or by written-out lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sidecar.serving.board.board import Snapshot
from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey
from sidecar.serving.capture.core.intake import Accounting
from sidecar.serving.telemetry.capture_metrics import captured, discovered
from sidecar.serving.telemetry.families import counter, gauge
from sidecar.serving.telemetry.ranking_metrics import candidates, drift, rankings, segments
from sidecar.serving.telemetry.scoring_metrics import scoring
from sidecar.wire.v2.repository import IndexState, WatchKey


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that the metrics show, at one moment."""

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
        """Returns all metric families with their samples."""
        reading = self._read()
        yield from captured(reading.accounting, reading.captures)
        yield from rankings(reading.ranking_every_s, reading.snapshots)
        yield from drift(reading.snapshots)
        yield from candidates(reading.snapshots)
        yield from segments(reading.snapshots)
        yield from discovered(reading.discovery)
        yield from scoring(
            reading.snapshots,
            up=reading.scoring_up,
            restarts=reading.scoring_restarts,
            queued_bytes=reading.queued_bytes,
        )
        yield from _self(reading)

    def describe(self) -> Iterable[Metric]:
        """Returns nothing, as the families are known only at the scrape."""
        return ()


def _self(reading: Reading) -> Iterator[Metric]:
    watchers = gauge("watchers", "Open WatchRanking streams.")
    watchers.add_metric([], reading.watchers)
    reloads = counter("config_reloads", "Changed configuration files that were applied.")
    reloads.add_metric([], reading.reloads)
    failures = counter("config_reload_failures", "Changed configuration files that were refused.")
    failures.add_metric([], reading.reload_failures)
    refused = gauge("config_refused", "1 while the file on disk is refused and an older file is in force.")
    refused.add_metric([], reading.refused)
    build = gauge("build_info", "1, with the version of Pilotfish as a label.", ("version",))
    build.add_metric([metadata.version("pilotfish")], 1)
    yield from (watchers, reloads, failures, refused, build)
