"""Makes a proxy from its section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.schema import Proxy
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.relay_server import RelayServer
from sidecar.serving.capture.proxy.observer import ConnectionObserver


def open_proxy(
    key: CaptureKey, settings: Proxy, intakes: Mapping[str, Intake], incumbent: str
) -> RelayServer:
    """See `sidecar.serving.capture.table.CaptureRow.open`."""
    return RelayServer(
        key.listen,
        settings.upstream or incumbent,
        intakes,
        key=key.setting,
        observe=ConnectionObserver,
    )


def change_proxy(server: RelayServer, settings: Proxy, incumbent: str) -> None:
    """See `sidecar.serving.capture.table.CaptureRow.change`."""
    server.redirect(settings.upstream or incumbent)
