"""Families of metrics, named as Pilotfish's; the samples come from whoever declares them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


def gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    """Declares a gauge without samples; `text` is its help."""
    return GaugeMetricFamily(f"pilotfish_{name}", text, labels=tuple(labels))


def counter(name: str, text: str, labels: Iterable[str] = ()) -> CounterMetricFamily:
    """Declares a counter without samples; `text` is its help. Prometheus adds `_total` to its name."""
    return CounterMetricFamily(f"pilotfish_{name}", text, labels=tuple(labels))
