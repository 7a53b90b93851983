"""The section of the runner `v2`, which `sidecar.scoring.runners.v2` is, and how its server is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sidecar.config.schema.runners.section import Behind, RunnerSection
from sidecar.config.schema.section import Positive, Section
from sidecar.config.units import Address, FilePath, Seconds


class Tls(Section):
    """PEM files for a connection; an empty section trusts the system's roots."""

    ca: FilePath | None = Field(default=None, description="roots to trust; default: the system's")
    cert: FilePath | None = Field(default=None, description="the client's own certificate, with `key`")
    key: FilePath | None = Field(default=None, description="of `cert`")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together: give both or none")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are named."""
        return tuple(path for path in (self.ca, self.cert, self.key) if path is not None)


class V2Server(Section):
    """How a server of the Open Inference Protocol is asked, whichever of its models."""

    url: Address = Field(description="HOST:PORT of the server's gRPC port")
    batch: int = Field(
        default=32, ge=1, le=4096, description="items in one request; fewer where the server allows no more"
    )
    in_flight: int = Field(default=2, ge=1, le=64, description="requests under way at once, at most")
    per_second: Positive = Field(default=100.0, description="requests begun in a second, at most")
    deadline: Seconds = Field(
        default=5.0, description="seconds, or with a unit; a request that takes longer has failed"
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor by model input, where the names differ"
    )
    output: str | None = Field(
        default=None, description="the tensor with the classes, where the profile has another name for it"
    )
    labels: tuple[str, ...] = Field(
        default=(),
        description="class names in the order of the served output, where that is not the profile's",
    )
    shared_memory: bool = Field(
        default=False,
        description="inputs go through system shared memory; needs a server on the same node that has it",
    )
    tls: Tls | None = Field(default=None, description="default: plain text")
    # What HTTP/2 allows, but for what gRPC keeps to itself.
    metadata: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.][a-z0-9_.-]{0,63}$")],
        Annotated[str, StringConstraints(pattern=r"^[ -~]*$")],
    ] = Field(default_factory=dict, description="sent with every request, by lower-case key")


class V2(V2Server, RunnerSection):
    """A model behind a server of the Open Inference Protocol: Triton, MLServer, KServe and others."""

    model: str = Field(min_length=1, description="its name there")
    version: str = Field(default="", description="default: the server's choice")

    @property
    def files(self) -> tuple[Path, ...]:
        """What the connection is made with."""
        return () if self.tls is None else self.tls.files

    @property
    def behind(self) -> Behind | None:
        """The server, and the model's name there."""
        return Behind(self.url, self.model, self.in_flight)
