"""The section of the toy capture `lines`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sidecar.config.schema.captures.section import MODEL, CaptureSection
from sidecar.config.units import Address


class Lines(CaptureSection):
    """Takes one item a line, as JSON, from whoever connects."""

    sees_answers: ClassVar = False
    sees_latency: ClassVar = False

    listen: Address = Field(description="where the lines are sent")
    model: str | None = Field(default=None, description=MODEL)
