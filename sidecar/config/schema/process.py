"""Sections of the process itself: its addresses, the limits of scoring, its logs and traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sidecar.config.schema.section import Finite, Section
from sidecar.config.units import Address, Seconds, Size


class Serve(Section):
    """Addresses and limits of Pilotfish's own services."""

    grpc: Address = Field(default="0.0.0.0:9500", description="HOST:PORT of Pilotfish's gRPC services")
    http: Address = Field(default="0.0.0.0:9400", description="HOST:PORT of /metrics, /healthz, /readyz")
    max_message_bytes: Size = Field(
        default=4 << 20,
        description="largest message to or from Pilotfish's own services, in bytes or with a unit",
    )
    max_watchers: int = Field(default=1000, ge=1, description="largest number of open WatchRanking streams")
    grace: Seconds = Field(
        default=10.0, description="time for open calls to finish at shutdown, in seconds or with a unit"
    )


class Scoring(Section):
    """Limits of the scoring process."""

    cpu_share: float = Field(
        default=0.5, gt=0, le=64, description="share of one core that scoring uses at most, on average"
    )
    priority: Literal["idle", "low"] = Field(
        default="idle",
        description="idle: scoring gets only processor time that nothing else wants; low: it runs at nice 10",
    )
    queue: Size = Field(
        default=16 << 20,
        description="largest size of the sampled requests that wait for scoring, in bytes or with a unit",
    )


class Interference(Section):
    """Limits on what shadow work does to the model servers."""

    latency_ratio: Annotated[Finite, Field(gt=1)] | None = Field(
        default=None,
        description="largest ratio of an endpoint's live latency during shadow work to its latency in "
        "pauses; "
        "above it, shadow work backs off; default: the latency is not watched",
    )
    in_flight: int | None = Field(
        default=None,
        ge=1,
        description="largest number of batches under way at one server, of all candidates; default: no limit",
    )
    bytes_per_second: Size | None = Field(
        default=None,
        description="largest size of the tensors sent to one server in a second, in bytes or with a "
        "unit; default: no limit",
    )


class Log(Section):
    """What is logged. Payloads are never logged."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe level that is logged"
    )
    format: Literal["json", "console"] = Field(
        default="json", description="json: lines for programs; console: lines for people"
    )


class Traces(Section):
    """Where spans of calls and ranking rounds are sent. This needs the extra `otel`."""

    otlp: Address | None = Field(
        default=None,
        description="HOST:PORT of the gRPC port of an OpenTelemetry collector; default: no traces are sent",
    )
    tls: bool = Field(default=False, description="true: the connection to the collector uses TLS")
    ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the calls and rounds that is traced, 0 to 1, unless the caller has decided",
    )
