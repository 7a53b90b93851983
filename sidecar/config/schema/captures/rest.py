"""The section of the capture `rest`, which `sidecar.serving.capture.rest` is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import MODEL, CaptureSection
from sidecar.config.units import Address


class Rest(CaptureSection):
    """The built-in proxy for HTTP/1.1: clients of `/v2/models/NAME/infer`."""

    relays: ClassVar = True
    sees_answers: ClassVar = True
    sees_latency: ClassVar = True

    listen: Address = Field(description="where clients connect")
    upstream: Address = Field(description="the model server's HTTP port")
    model: str | None = Field(default=None, description=MODEL)
