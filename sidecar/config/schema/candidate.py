"""The models that could serve: what runs them, what they cost, where more of them are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from sidecar.config.schema.section import Name, ObjectiveName, Positive, Section
from sidecar.config.units import Address, FilePath, Seconds
from sidecar.core.preference.objectives import ACCURACY
from sidecar.core.providers import PROVIDERS
from sidecar.core.ranking import Estimate

MAX_CANDIDATES = 256
_MODEL_NAME = "{model}"


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"there is no provider {name!r}; there is {', '.join(PROVIDERS)}")
    return name


class Onnx(Section):
    """A model that onnxruntime runs in the scoring process."""

    path: FilePath = Field(description="the .onnx file; relative to the configuration file")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="intra-op threads; default: what cpu_share and the cgroup allow",
    )
    batch: int = Field(default=32, ge=1, le=4096, description="items given to the model at once")
    provider: Annotated[str, AfterValidator(_known_provider)] = Field(
        default="cpu",
        json_schema_extra={"enum": [*PROVIDERS]},
        description="what runs it; another one needs an onnxruntime that has it, and takes of an accelerator",
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor by model input, where the names differ"
    )
    session: dict[str, str] = Field(
        default_factory=dict, description="onnxruntime session configuration entries"
    )


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


class _Behind(Section):
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


class V2(_Behind):
    """A model behind a server of the Open Inference Protocol: Triton, MLServer, KServe and others."""

    model: str = Field(min_length=1, description="its name there")
    version: str = Field(default="", description="default: the server's choice")


class Performance(Section):
    """What the candidate costs to serve here."""

    model: FilePath = Field(description="written by `pilotfish perf fit`; relative to the configuration file")
    configuration: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="options that it is served with; those not named have the model's defaults",
    )


def _plain_value(given: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    return given if isinstance(given, Mapping | BaseModel) else {"value": given}


class Declared(Section):
    """A cost or a yield that the operator knows."""

    value: Positive = Field(description="above 0, in the unit that ends the objective's name")
    low: Positive | None = Field(
        default=None, description="lower end of its 90 % interval; default: the value"
    )
    high: Positive | None = Field(
        default=None, description="upper end of its 90 % interval; default: the value"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.estimate.low <= self.value <= self.estimate.high:
            raise ValueError(f"low {self.low}, value {self.value}, high {self.high} are not in order")
        return self

    @property
    def estimate(self) -> Estimate:
        """The value with its interval; of no width where none was given."""
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        return Estimate(self.value, low, high)


class Candidate(Section):
    """A model that could serve."""

    name: Name = Field(description="unique in its endpoint; letters, digits, . _ -")
    profile: FilePath = Field(
        description="built by `pilotfish profile build`; relative to the configuration file"
    )
    onnx: Onnx | None = Field(default=None, description="runs in the scoring process; or else `v2`")
    v2: V2 | None = Field(default=None, description="runs behind a server; or else `onnx`")
    performance: Performance | None = Field(
        default=None, description="what it costs to serve here; PerformanceService.Predict answers from it"
    )
    objectives: dict[ObjectiveName, Annotated[Declared, BeforeValidator(_plain_value, float | Declared)]] = (
        Field(
            default_factory=dict,
            description="costs and yields that are known, by objective: a number, or value, low and high; "
            "they come before what `performance` predicts",
        )
    )

    @field_validator("objectives")
    @classmethod
    def _only_what_is_not_estimated(cls, given: dict[str, Declared]) -> dict[str, Declared]:
        if ACCURACY in given:
            raise ValueError(f"{ACCURACY} is estimated from the traffic: leave it out")
        return given

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.onnx is None) == (self.v2 is None):
            raise ValueError("give one of onnx, v2")
        return self

    @property
    def model(self) -> Onnx | V2:
        """What answers for it."""
        if self.onnx is not None:
            return self.onnx
        assert self.v2 is not None, "validated"  # noqa: S101 - for mypy
        return self.v2

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is opened from."""
        if isinstance(self.model, Onnx):
            return self.profile, self.model.path
        tls = self.model.tls or Tls()
        return self.profile, *(path for path in (tls.ca, tls.cert, tls.key) if path is not None)


def _for_each_model(path: Path) -> Path:
    if _MODEL_NAME not in str(path):
        raise ValueError(f"write {_MODEL_NAME} where the model's name stands in the path")
    return path


class Discover(_Behind):
    """Candidates that come and go with the models that a server says are ready."""

    models: str = Field(
        default="*",
        min_length=1,
        description="which, with * for any characters; a candidate has its model's name",
    )
    profiles: Annotated[FilePath, AfterValidator(_for_each_model)] = Field(
        description=f"where their profiles are, with {_MODEL_NAME} for the model's name; relative to the "
        "configuration file"
    )
    every: Seconds = Field(
        default=5.0, description="seconds between two looks at the server's repository index, or with a unit"
    )

    def candidate(self, model: str) -> Candidate:
        """The candidate that a model of the server is; `is_name` holds for it."""
        options = {name: getattr(self, name) for name in _Behind.model_fields}
        return Candidate(
            name=model,
            profile=Path(str(self.profiles).replace(_MODEL_NAME, model)),
            v2=V2(model=model, **options),
        )
