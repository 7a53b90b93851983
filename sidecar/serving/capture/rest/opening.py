"""Makes a proxy of HTTP/1.1 from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema import Rest
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.relay_server import RelayServer
from sidecar.serving.capture.rest.rest import RestObserver


def open_rest(key: CaptureKey, settings: Rest, intakes: Mapping[str, Intake], _incumbent: str) -> RelayServer:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return RelayServer(key.listen, settings.upstream, intakes, key=key.setting, observe=RestObserver)


def change_rest(server: RelayServer, settings: Rest, _incumbent: str) -> None:
    """See `sidecar.serving.capture.table.CaptureRow.change`."""
    server.redirect(settings.upstream)
