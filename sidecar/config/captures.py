"""What is wrong between the captures of a configuration; looks at raw data, beside other faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.config.schema import Capture, CloudEvents
from sidecar.config.units import Place

_RELAYS = ("proxy", "rest")
_DEFAULT_PATH = CloudEvents.model_fields["path"].default


def capture_faults(
    endpoints: list[tuple[int, dict[str, Any]]], taken: Mapping[str, str]
) -> Iterator[tuple[Place, str]]:
    """Finds captures that stand in each other's way.

    Args:
        endpoints: with their places in the list.
        taken: what listens already, by address.
    """
    ways: dict[str, str] = {}
    upstreams: dict[str, Any] = {}
    envoys: dict[tuple[str, str], Any] = {}
    watched: Counter[tuple[str, str, str]] = Counter()
    for place, way, settings, model in _captures(endpoints):
        where = str(settings.get("path", _DEFAULT_PATH) if way == "cloudevents" else settings.get("listen"))
        if where in taken:
            yield (*place, "listen"), f"{where} is {taken[where]} already"
        if not where.endswith(":0") and ways.setdefault(where, way) != way:
            yield (*place, "listen"), f"{where} is a {ways[where]} already; one address has one capture"
        if envoys.setdefault((way, where), settings.get("envoy")) != settings.get("envoy"):
            yield (*place, "envoy"), f"{where} already asks {envoys[way, where]}; one address has one Envoy"
        upstream = settings.get("upstream")
        if way in _RELAYS:
            if where == upstream:
                yield (*place, "upstream"), f"{where} would lead to itself; name the model server"
            if upstreams.setdefault(where, upstream) != upstream:
                yield (
                    (*place, "upstream"),
                    f"{where} already leads to {upstreams[where]}; one listener has one upstream",
                )
            # Without an upstream one embedded server answers for all, by model name.
            where = "" if way == "proxy" and upstream is None else where
        watched[way, where, model] += 1
        if watched[way, where, model] > 1:
            said = f"on {where}" if where else "without an upstream"
            yield (*place, "model"), f"{model!r} {said} is watched already; one endpoint a model"


def _captures(
    endpoints: list[tuple[int, dict[str, Any]]],
) -> Iterator[tuple[Place, str, dict[str, Any], str]]:
    """The captures that can be read: place, kind, settings, model."""
    for index, endpoint in endpoints:
        listed = endpoint.get("capture")
        for number, capture in enumerate(listed if isinstance(listed, list) else []):
            for way in Capture.model_fields:
                settings = capture.get(way) if isinstance(capture, dict) else None
                if isinstance(settings, dict):
                    model = str(settings.get("model") or endpoint.get("name"))
                    yield ("endpoints", index, "capture", number, way), way, settings, model
