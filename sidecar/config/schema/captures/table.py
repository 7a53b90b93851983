"""The table of captures, as everybody but the serving process needs it: a row is a field of `Capture`.

A capture is two halves, because two kinds of readers need it. Its *section*, one file beside this one and
one row here, is what both processes, the command line and the chart read: what it is configured by, where
it listens, what it sees, how Envoy feeds it. Its *implementation*, a folder of `sidecar.serving.capture`
and one row of the table there, is what the serving process alone loads. The halves cannot be one row: the
scoring process validates the same configuration and must not load what takes traffic in. A test compares
the two tables.

The row is a field because the key, the class, the description in the JSON schema and the type that a
checker sees are then one line.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self

from pydantic import Field, model_validator

from sidecar.config.schema.captures.cloudevents import CloudEvents
from sidecar.config.schema.captures.mirror import Mirror
from sidecar.config.schema.captures.observer import Observer
from sidecar.config.schema.captures.proxy import Proxy
from sidecar.config.schema.captures.rest import Rest
from sidecar.config.schema.captures.section import CaptureSection
from sidecar.config.schema.section import Section


class Capture(Section):
    """How traffic reaches an endpoint: give exactly one of these keys."""

    proxy: Proxy | None = Field(default=None, description="built-in proxy for gRPC")
    rest: Rest | None = Field(default=None, description="built-in proxy for HTTP/1.1")
    mirror: Mirror | None = Field(default=None, description="copies of requests, from Envoy or Istio")
    observer: Observer | None = Field(default=None, description="copies of requests and answers, from Envoy")
    cloudevents: CloudEvents | None = Field(
        default=None, description="copies of requests and answers, from KServe's logger"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in CAPTURES if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"give one of {', '.join(CAPTURES)}; given: {', '.join(ways) or 'none'}")
        return self

    @property
    def way(self) -> str:
        """Returns the key of the capture that is given."""
        return next(name for name in CAPTURES if getattr(self, name) is not None)

    @property
    def settings(self) -> CaptureSection:
        """Returns the settings of the capture that is given."""
        settings: CaptureSection = getattr(self, self.way)
        return settings


CAPTURES: Final[Mapping[str, type[CaptureSection]]] = MappingProxyType(
    {
        name: part
        for name, field in Capture.model_fields.items()
        for part in typing.get_args(field.annotation)
        if issubclass(part, CaptureSection)
    }
)
"""The section of every capture, by its key."""

FED_BY_ENVOY: Final = tuple(name for name, section in CAPTURES.items() if section.envoy_feed is not None)
"""Keys of the captures that Envoy can send copies to."""
