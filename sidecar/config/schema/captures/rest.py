"""The settings of the capture `rest`; `sidecar.serving.capture.rest` implements it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import MODEL, CaptureSection
from sidecar.config.units import Address


class Rest(CaptureSection):
    """The built-in proxy for HTTP/1.1. It observes calls of `/v2/models/NAME/infer`."""

    relays: ClassVar = True
    sees_answers: ClassVar = True
    sees_latency: ClassVar = True

    listen: Address = Field(description="HOST:PORT that clients connect to")
    upstream: Address = Field(description="HOST:PORT of the model server's HTTP port")
    model: str | None = Field(default=None, description=MODEL)
