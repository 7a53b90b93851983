"""`pilotfish serve`: runs the sidecar until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import uvloop

from sidecar.config import load_config
from sidecar.serving.app import Sidecar
from sidecar.telemetry.logs import configure_logs


def serve(*, config: Path) -> None:
    """Runs the sidecar until SIGTERM or SIGINT.

    Args:
        config: the configuration file; watched for changes.
    """
    settings = load_config(config)
    configure_logs(settings.log.level, settings.log.format)
    uvloop.run(_serve(Sidecar(config, settings)))


async def _serve(sidecar: Sidecar) -> None:
    stop = told_to_stop()
    try:
        await sidecar.start()
        await stop.wait()
    finally:
        await sidecar.close()


def told_to_stop() -> asyncio.Event:
    """Returns an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
