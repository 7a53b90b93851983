"""Opens the traces that the configuration asks for; their libraries are an extra and loaded only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.config import schema
from sidecar.core.errors import InvalidError

if TYPE_CHECKING:
    from sidecar.telemetry.traces import Traces


def open_traces(settings: schema.Traces) -> Traces | None:
    """Returns what makes and sends spans, or None if the configuration asks for no traces."""
    if settings.otlp is None:
        return None
    try:
        from sidecar.telemetry.traces import otlp_traces  # noqa: PLC0415 - its libraries are an extra
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"traces.otlp: {error.name} is not installed; install pilotfish[otel], or remove `traces.otlp`"
        ) from error
    return otlp_traces(settings.otlp, tls=settings.tls, ratio=settings.ratio)
