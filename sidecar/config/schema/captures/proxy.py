"""The settings of the capture `proxy`; `sidecar.serving.capture.proxy` implements it."""

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

    listen: Address = Field(description="HOST:PORT that clients connect to")
    upstream: Address | None = Field(
        default=None,
        description="HOST:PORT of the model server; default: the incumbent answers, run by onnxruntime",
    )
    model: str | None = Field(default=None, description=MODEL)
