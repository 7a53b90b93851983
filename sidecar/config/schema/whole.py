"""The schema of the whole configuration file."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from sidecar.config.schema.endpoint import Endpoint
from sidecar.config.schema.process import Interference, Log, Scoring, Serve, Traces
from sidecar.config.schema.section import NEEDS_RESTART, Section
from sidecar.config.units import FilePath


class Config(Section):
    """The whole file. An environment variable overrides a key: PILOTFISH_SERVE__GRPC=127.0.0.1:9500."""

    endpoints: tuple[Endpoint, ...] = Field(
        min_length=1, description="streams of requests that Pilotfish watches"
    )
    models: FilePath | None = Field(
        default=None,
        description="folder of the files that RegisterCandidate may name; default: the configuration "
        "file's folder",
    )
    serve: Serve = Field(
        default=Serve(),
        description="addresses and limits of Pilotfish's own services",
        json_schema_extra=NEEDS_RESTART,
    )
    scoring: Scoring = Field(
        default=Scoring(), description="limits of the scoring process", json_schema_extra=NEEDS_RESTART
    )
    interference: Interference = Field(
        default=Interference(), description="limits on what shadow work does to the model servers"
    )
    log: Log = Field(default=Log(), description="what is logged", json_schema_extra=NEEDS_RESTART)
    traces: Traces = Field(
        default=Traces(),
        description="where traces are sent; needs the extra `otel`",
        json_schema_extra=NEEDS_RESTART,
    )


RESTART_SECTIONS: Final = tuple(
    name for name, field in Config.model_fields.items() if field.json_schema_extra == NEEDS_RESTART
)
"""The sections whose change needs a restart, in the file's order; reload, chart and documents follow it."""
