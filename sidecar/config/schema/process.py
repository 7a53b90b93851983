"""Where Pilotfish answers, what it may take, and what it tells of itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sidecar.config.schema.section import Finite, Section
from sidecar.config.units import Address, Seconds, Size


class Serve(Section):
    """Where Pilotfish answers."""

    grpc: Address = Field(default="0.0.0.0:9500", description="HOST:PORT of Pilotfish's gRPC services")
    http: Address = Field(default="0.0.0.0:9400", description="HOST:PORT of /metrics, /healthz, /readyz")
    max_message_bytes: Size = Field(
        default=4 << 20, description="bytes of a message to Pilotfish's own services, or with a unit"
    )
    max_watchers: int = Field(default=1000, ge=1, description="open WatchRanking streams, at most")
    grace: Seconds = Field(
        default=10.0, description="seconds, or with a unit, to finish open calls at shutdown"
    )


class Scoring(Section):
    """The scoring process and what it may take."""

    cpu_share: float = Field(default=0.5, gt=0, le=64, description="share of one core, kept on average")
    priority: Literal["idle", "low"] = Field(
        default="idle", description="idle: takes only processor time that nothing else wants; low: nice 10"
    )
    queue: Size = Field(
        default=16 << 20,
        description="bytes, or with a unit, of sampled requests that wait for scoring, at most",
    )


class Interference(Section):
    """What shadow work may do to the model servers, beside what `scoring` may take."""

    latency_ratio: Annotated[Finite, Field(gt=1)] | None = Field(
        default=None,
        description="of an endpoint's live latency beside shadow work to that in rests from it; above, "
        "shadow work backs off; default: not watched",
    )
    in_flight: int | None = Field(
        default=None,
        ge=1,
        description="batches of all candidates together under way at one server, at most; default: no bound",
    )
    bytes_per_second: Size | None = Field(
        default=None,
        description="bytes, or with a unit, of tensors sent to one server in a second; default: no bound",
    )


class Log(Section):
    """What is logged. Payloads never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is told"
    )
    format: Literal["json", "console"] = Field(default="json", description="for machines or for people")


class Traces(Section):
    """Where spans of calls and rounds are sent. Needs the extra `otel`."""

    otlp: Address | None = Field(
        default=None, description="HOST:PORT of an OpenTelemetry collector's gRPC port; default: no traces"
    )
    tls: bool = Field(default=False, description="whether the collector is spoken to by TLS")
    ratio: float = Field(
        default=1.0, ge=0, le=1, description="share that is traced, where the caller has not decided"
    )
