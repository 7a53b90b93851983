"""The whole file."""

from __future__ import annotations

from pydantic import Field

from sidecar.config.schema.endpoint import Endpoint
from sidecar.config.schema.process import Interference, Log, Scoring, Serve, Traces
from sidecar.config.schema.section import Section
from sidecar.config.units import FilePath


class Config(Section):
    """The whole file. Environment variables override it: PILOTFISH_SERVE__GRPC=127.0.0.1:9500."""

    endpoints: tuple[Endpoint, ...] = Field(
        min_length=1, description="the streams of requests that are watched"
    )
    models: FilePath | None = Field(
        default=None, description="folder that RegisterCandidate may name files in; default: the file's own"
    )
    serve: Serve = Field(default=Serve(), description="where Pilotfish answers; a change needs a restart")
    scoring: Scoring = Field(default=Scoring(), description="what scoring may take; a change needs a restart")
    interference: Interference = Field(
        default=Interference(), description="what shadow work may do to the model servers"
    )
    log: Log = Field(default=Log(), description="what is logged; a change needs a restart")
    traces: Traces = Field(
        default=Traces(), description="where traces are sent; needs the extra otel; a change needs a restart"
    )
