"""The settings of the capture `observer`; `sidecar.serving.capture.ext_proc` implements it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import ENVOY_ADMIN, MODEL, CaptureSection, EnvoyFeed
from sidecar.config.units import Address


class Observer(CaptureSection):
    """Takes copies of requests and answers, from Envoy's `ext_proc` filter in observability mode."""

    sees_answers: ClassVar = True
    sees_latency: ClassVar = True
    envoy_feed: ClassVar = EnvoyFeed.EXT_PROC

    listen: Address = Field(description="HOST:PORT that the filter connects to")
    envoy: Address | None = Field(default=None, description=ENVOY_ADMIN)
    model: str | None = Field(default=None, description=MODEL)

    @property
    def envoy_admin(self) -> str | None:
        """The admin page of the Envoy whose filter this is."""
        return self.envoy
