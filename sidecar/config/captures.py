"""Faults between the captures of a configuration. Reads raw data, so that they are reported beside others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.config.schema import CAPTURES, CaptureSection
from sidecar.config.units import Place


@dataclass(frozen=True, slots=True)
class _Given:
    """A capture as it stands in the file.

    Attributes:
        place: where its settings stand.
        way: its key, like `proxy`.
        section: the schema of its settings.
        settings: its settings, not yet validated.
        model: the model name of the requests that it samples.
    """

    place: Place
    way: str
    section: type[CaptureSection]
    settings: dict[str, Any]
    model: str

    @property
    def where(self) -> str:
        """Returns the address or path at which traffic reaches the capture."""
        key = self.section.listens.value
        field = self.section.model_fields[key]
        return str(self.settings.get(key, None if field.is_required() else field.default))

    @property
    def asks_incumbent(self) -> bool:
        """Tells whether the incumbent answers here, as the capture has no upstream."""
        optional = self.section.relays and not self.section.model_fields["upstream"].is_required()
        return optional and self.settings.get("upstream") is None


def capture_faults(
    endpoints: list[tuple[int, dict[str, Any]]], taken: Mapping[str, str]
) -> Iterator[tuple[Place, str]]:
    """Yields the place and the message of each conflict between captures.

    Args:
        endpoints: the endpoints with their places in the list.
        taken: the key of the service that listens already, by address.
    """
    ways: dict[str, str] = {}
    upstreams: dict[str, Any] = {}
    envoys: dict[tuple[str, str], Any] = {}
    watched: Counter[tuple[str, str, str]] = Counter()
    for one in _captures(endpoints):
        place, way, where = one.place, one.way, one.where
        key = one.section.listens.value
        if where in taken:
            yield (*place, key), f"{where} is the address of `{taken[where]}` already"
        if not where.endswith(":0") and ways.setdefault(where, way) != way:
            yield (*place, key), f"{where} has a `{ways[where]}` already; choose another address"
        envoy = one.settings.get("envoy")
        if envoys.setdefault((way, where), envoy) != envoy:
            yield (
                (*place, "envoy"),
                f"{where} already asks the Envoy {envoys[way, where]}; name the same Envoy",
            )
        if one.section.relays:
            upstream = one.settings.get("upstream")
            if where == upstream:
                yield (*place, "upstream"), f"{where} would lead to itself; give the model server's address"
            if upstreams.setdefault(where, upstream) != upstream:
                yield (
                    (*place, "upstream"),
                    f"{where} already leads to {upstreams[where]}; give the same upstream",
                )
        # The captures without an upstream share one embedded server, which tells them apart by model name.
        where = "" if one.asks_incumbent else where
        watched[way, where, one.model] += 1
        if watched[way, where, one.model] > 1:
            said = f"on {where}" if where else "without an upstream"
            yield (
                (*place, "model"),
                f"{one.model!r} {said} is watched already; only one endpoint can watch a model",
            )


def _captures(endpoints: list[tuple[int, dict[str, Any]]]) -> Iterator[_Given]:
    """Yields the captures whose settings are a mapping."""
    for index, endpoint in endpoints:
        listed = endpoint.get("capture")
        for number, capture in enumerate(listed if isinstance(listed, list) else []):
            for way, section in CAPTURES.items():
                settings = capture.get(way) if isinstance(capture, dict) else None
                if isinstance(settings, dict):
                    model = str(settings.get("model") or endpoint.get("name"))
                    yield _Given(("endpoints", index, "capture", number, way), way, section, settings, model)
