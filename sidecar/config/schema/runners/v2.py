"""The settings of the runner `v2`, and of its server; `sidecar.scoring.runners.v2` implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sidecar.config.schema.runners.section import Behind, RunnerSection
from sidecar.config.schema.section import Positive, Section
from sidecar.config.units import Address, FilePath, Seconds


class Tls(Section):
    """PEM files for a TLS connection. An empty section trusts the system's root certificates."""

    ca: FilePath | None = Field(default=None, description="root certificates to trust; default: the system's")
    cert: FilePath | None = Field(default=None, description="client certificate; needs `key`")
    key: FilePath | None = Field(default=None, description="private key of `cert`")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("only one of cert and key is given: give both or none")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Returns the files that are named."""
        return tuple(path for path in (self.ca, self.cert, self.key) if path is not None)


class V2Server(Section):
    """How requests are sent to a server of the Open Inference Protocol."""

    url: Address = Field(description="HOST:PORT of the server's gRPC port")
    batch: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="largest number of items in one request; the server may allow fewer",
    )
    in_flight: int = Field(default=2, ge=1, le=64, description="largest number of requests under way at once")
    per_second: Positive = Field(default=100.0, description="largest number of requests started in a second")
    deadline: Seconds = Field(
        default=5.0, description="time, in seconds or with a unit, after which a request has failed"
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor for each model input whose name differs"
    )
    output: str | None = Field(
        default=None, description="output tensor with the classes; default: the name in the profile"
    )
    labels: tuple[str, ...] = Field(
        default=(),
        description="class names in the order of the server's output; default: the profile's order",
    )
    shared_memory: bool = Field(
        default=False,
        description="true: inputs go through system shared memory, which the server must support on the "
        "same node",
    )
    tls: Tls | None = Field(default=None, description="TLS settings of the connection; default: no TLS")
    # HTTP/2 allows these keys, and gRPC does not reserve them.
    metadata: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.][a-z0-9_.-]{0,63}$")],
        Annotated[str, StringConstraints(pattern=r"^[ -~]*$")],
    ] = Field(
        default_factory=dict, description="gRPC metadata sent with every request; keys are in lower case"
    )


class V2(V2Server, RunnerSection):
    """A model on a server of the Open Inference Protocol, such as Triton, MLServer or KServe."""

    model: str = Field(min_length=1, description="the model's name on the server")
    version: str = Field(default="", description="the model's version; default: the server chooses")

    @property
    def files(self) -> tuple[Path, ...]:
        """Returns the files that the connection needs."""
        return () if self.tls is None else self.tls.files

    @property
    def behind(self) -> Behind | None:
        """Returns the server and the model's name on it."""
        return Behind(self.url, self.model, self.in_flight)
