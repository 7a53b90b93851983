"""The section of the capture `proxy`, which `sidecar.serving.capture.proxy` is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import MODEL, CaptureSection
from sidecar.config.units import Address


class Proxy(CaptureSection):
    """The built-in proxy: relays every byte to `upstream` and reads along."""

    relays: ClassVar = True
    sees_answers: ClassVar = True
    sees_latency: ClassVar = True

    listen: Address = Field(description="where clients connect")
    upstream: Address | None = Field(
        default=None, description="the model server; without one the incumbent answers through onnxruntime"
    )
    model: str | None = Field(default=None, description=MODEL)
