"""The settings of the capture `mirror`; `sidecar.serving.capture.mirror` implements it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import ENVOY_ADMIN, MODEL, CaptureSection, EnvoyFeed
from sidecar.config.units import Address


class Mirror(CaptureSection):
    """Takes copies of the requests, from Envoy's `request_mirror_policies` or Istio's `mirror`."""

    sees_answers: ClassVar = False
    sees_latency: ClassVar = False
    envoy_feed: ClassVar = EnvoyFeed.MIRROR_POLICY

    listen: Address = Field(description="HOST:PORT that receives the copies")
    envoy: Address | None = Field(default=None, description=ENVOY_ADMIN)
    model: str | None = Field(default=None, description=MODEL)

    @property
    def envoy_admin(self) -> str | None:
        """The admin page of the Envoy that sends the copies."""
        return self.envoy
