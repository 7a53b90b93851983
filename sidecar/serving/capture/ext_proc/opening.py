"""Makes an observer from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema import Observer
from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.ext_proc import ext_proc


def open_observer(
    key: CaptureKey, settings: Observer, intakes: Mapping[str, Intake], _incumbent: str
) -> CopyServer:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return CopyServer(key.listen, key.setting, ext_proc.begin, intakes, envoy=settings.envoy)


def change_observer(server: CopyServer, settings: Observer, _incumbent: str) -> None:
    """See `sidecar.serving.capture.table.CaptureRow.change`."""
    server.envoy.address = settings.envoy
