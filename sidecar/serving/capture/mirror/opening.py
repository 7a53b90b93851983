"""Makes the target of a mirror from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema import Mirror
from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.mirror import mirror


def open_mirror(
    key: CaptureKey, settings: Mirror, intakes: Mapping[str, Intake], _incumbent: str
) -> CopyServer:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return CopyServer(key.listen, key.setting, mirror.begin, intakes, envoy=settings.envoy)


def change_mirror(server: CopyServer, settings: Mirror, _incumbent: str) -> None:
    """See `sidecar.serving.capture.table.CaptureRow.change`."""
    server.envoy.address = settings.envoy
