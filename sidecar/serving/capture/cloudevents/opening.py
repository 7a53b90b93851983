"""Makes a sink of events from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema import CloudEvents
from sidecar.serving.capture.cloudevents.cloud_events import EventSink
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake


def open_cloudevents(
    key: CaptureKey, _settings: CloudEvents, intakes: Mapping[str, Intake], _incumbent: str
) -> EventSink:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return EventSink(key.listen, intakes)
