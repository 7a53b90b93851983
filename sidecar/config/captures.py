"""What is wrong between the captures of a configuration; looks at raw data, beside other faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.config.schema import CAPTURES, CaptureSection
from sidecar.config.units import Place


@dataclass(frozen=True, slots=True)
class _Given:
    """A capture as the file has it.

    Attributes:
        place: of its settings.
        way: its key.
        section: what the settings should be.
        settings: what they are.
        model: the name in the requests that are sampled.
    """

    place: Place
    way: str
    section: type[CaptureSection]
    settings: dict[str, Any]
    model: str

    @property
    def where(self) -> str:
        """The address or path at which traffic reaches it."""
        key = self.section.listens.value
        field = self.section.model_fields[key]
        return str(self.settings.get(key, None if field.is_required() else field.default))

    @property
    def asks_incumbent(self) -> bool:
        """Whether it does without an upstream."""
        optional = self.section.relays and not self.section.model_fields["upstream"].is_required()
        return optional and self.settings.get("upstream") is None


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
    for one in _captures(endpoints):
        place, way, where = one.place, one.way, one.where
        key = one.section.listens.value
        if where in taken:
            yield (*place, key), f"{where} is {taken[where]} already"
        if not where.endswith(":0") and ways.setdefault(where, way) != way:
            yield (*place, key), f"{where} is a {ways[where]} already; one address has one capture"
        envoy = one.settings.get("envoy")
        if envoys.setdefault((way, where), envoy) != envoy:
            yield (*place, "envoy"), f"{where} already asks {envoys[way, where]}; one address has one Envoy"
        if one.section.relays:
            upstream = one.settings.get("upstream")
            if where == upstream:
                yield (*place, "upstream"), f"{where} would lead to itself; name the model server"
            if upstreams.setdefault(where, upstream) != upstream:
                yield (
                    (*place, "upstream"),
                    f"{where} already leads to {upstreams[where]}; one listener has one upstream",
                )
        # Without an upstream one embedded server answers for all, by model name.
        where = "" if one.asks_incumbent else where
        watched[way, where, one.model] += 1
        if watched[way, where, one.model] > 1:
            said = f"on {where}" if where else "without an upstream"
            yield (*place, "model"), f"{one.model!r} {said} is watched already; one endpoint a model"


def _captures(endpoints: list[tuple[int, dict[str, Any]]]) -> Iterator[_Given]:
    """The captures that can be read."""
    for index, endpoint in endpoints:
        listed = endpoint.get("capture")
        for number, capture in enumerate(listed if isinstance(listed, list) else []):
            for way, section in CAPTURES.items():
                settings = capture.get(way) if isinstance(capture, dict) else None
                if isinstance(settings, dict):
                    model = str(settings.get("model") or endpoint.get("name"))
                    yield _Given(("endpoints", index, "capture", number, way), way, section, settings, model)
