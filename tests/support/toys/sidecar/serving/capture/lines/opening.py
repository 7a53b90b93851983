"""Makes a server of lines from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema.captures.lines import Lines
from sidecar.serving.capture.lines.lines import LineServer

from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake


def open_lines(
    key: CaptureKey, _settings: Lines, intakes: Mapping[str, Intake], _incumbent: str
) -> LineServer:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return LineServer(key.listen, intakes)
