"""The one schema of the configuration file. Frozen; every limit has a default and a unit."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sidecar.config.units import Address, FilePath, Seconds, Size
from sidecar.domain.errors import InvalidError
from sidecar.measures.table import DEFAULT, find_measure

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


def _measure(name: str) -> str:
    try:
        return find_measure(name).name
    except InvalidError as error:
        raise ValueError(str(error)) from error


MeasureName = Annotated[str, AfterValidator(_measure)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Proxy(_Section):
    """The built-in proxy: relays every byte to `upstream` and reads along."""

    listen: Address = Field(description="where clients connect")
    upstream: Address | None = Field(
        default=None, description="the model server; without one the incumbent answers through onnxruntime"
    )
    model: str | None = Field(
        default=None, description="model name in the requests to sample; default: the endpoint's name"
    )


class Capture(_Section):
    """One way in for an endpoint's traffic."""

    proxy: Proxy = Field(description="the built-in proxy")


class Sample(_Section):
    """Which requests are kept."""

    fraction: float = Field(default=0.1, ge=0, le=1, description="share of the requests, 0..1")
    max_per_second: float = Field(default=200, gt=0, description="requests a second, at most")
    max_item_bytes: Size = Field(
        default=1 << 20, description="bytes, or with a unit; a larger request or answer is dropped: oversize"
    )


class Input(_Section):
    """What of a request the candidates are given."""

    tensor: str | None = Field(
        default=None, description="the request's tensor for candidates with one input of another name"
    )


class Output(_Section):
    """What of the incumbent's live answer is used."""

    tensor: str | None = Field(
        default=None,
        description="the tensor's name there, where it is not that of the incumbent's profile",
    )


class Window(_Section):
    """What is remembered of the traffic, in memory."""

    items: int = Field(default=4096, ge=1, le=1 << 20, description="items, at most")
    bytes: Size = Field(default=64 << 20, description="bytes, or with a unit, of the items, at most")


class Segments(_Section):
    """What splits the window into kinds of traffic, each with a ranking of its own: one of three ways."""

    tensor: str | None = Field(
        default=None, min_length=1, description="request tensor with one value an item, the segment's name"
    )
    # gRPC metadata keys are lower case; `:` would begin a key of HTTP/2's own.
    metadata: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")] | None = Field(
        default=None, description="gRPC metadata key, lower case; its value names the request's segment"
    )
    inputs: Literal[True] | None = Field(
        default=None, description="true: found by itself from the inputs, once the window holds 256 items"
    )
    # Every segment costs a ranking each round.
    max: int = Field(
        default=4,
        ge=1,
        le=16,
        description="segments with a name, at most: the most frequent values with ranking.min_items items; "
        "what is left is the segment `other`",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("tensor", "metadata", "inputs") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"give one of tensor, metadata, inputs; there is {', '.join(ways) or 'none'}")
        return self


class Onnx(_Section):
    """A model that onnxruntime runs in the scoring process."""

    path: FilePath = Field(description="the .onnx file; relative to the configuration file")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="intra-op threads; default: what cpu_share and the cgroup allow",
    )
    batch: int = Field(default=32, ge=1, le=4096, description="items given to the model at once")
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor by model input, where the names differ"
    )
    session: dict[str, str] = Field(
        default_factory=dict, description="onnxruntime session configuration entries"
    )


class Performance(_Section):
    """What the candidate costs to serve here."""

    model: FilePath = Field(description="written by `pilotfish perf fit`; relative to the configuration file")
    configuration: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="options that it is served with; those not named have the model's defaults",
    )


class Candidate(_Section):
    """A model that could serve."""

    name: Name = Field(description="unique in its endpoint; letters, digits, . _ -")
    profile: FilePath = Field(
        description="built by `pilotfish profile build`; relative to the configuration file"
    )
    onnx: Onnx = Field(description="runs in the scoring process")
    performance: Performance | None = Field(
        default=None, description="what it costs to serve here; PerformanceService.Predict answers from it"
    )


class Ranking(_Section):
    """When and how the candidates are ranked."""

    every: Seconds = Field(default=5.0, description="seconds between rankings, or with a unit: 5s, 200ms, 1m")
    stale_after: Seconds = Field(
        default=60.0, description="seconds, or with a unit; an older ranking says STALE"
    )
    min_items: int = Field(default=50, ge=2, description="fewer items say INSUFFICIENT_DATA")
    objectives: tuple[Literal["accuracy"], ...] = Field(
        default=("accuracy",), min_length=1, description="this version ranks by accuracy"
    )
    measures: tuple[MeasureName, ...] = Field(
        default=DEFAULT, description="what ExplainCandidate shows; `pilotfish measures` lists all"
    )
    seed: int = Field(default=0, ge=0, description="of the bootstrap")


class Endpoint(_Section):
    """A named stream of requests for one task."""

    name: Name = Field(description="unique; callers ask for it")
    capture: tuple[Capture, ...] = Field(default=(), description="without any, items come through Observe")
    sample: Sample = Field(default=Sample(), description="which requests are kept")
    input: Input = Field(default=Input(), description="what of a request the candidates are given")
    output: Output = Field(default=Output(), description="what of the incumbent's live answer is used")
    window: Window = Field(default=Window(), description="what is remembered of the traffic")
    segments: Segments | None = Field(
        default=None,
        description="splits the window into kinds of traffic; default: not split. A change starts it anew",
    )
    incumbent: Name = Field(description="the candidate that serves now")
    candidates: tuple[Candidate, ...] = Field(
        min_length=1, max_length=256, description="the models that could serve"
    )
    ranking: Ranking = Field(default=Ranking(), description="when and how the candidates are ranked")


class Serve(_Section):
    """Where Pilotfish answers. A change needs a restart."""

    grpc: Address = Field(default="0.0.0.0:9500", description="HOST:PORT of Pilotfish's gRPC services")
    http: Address = Field(default="0.0.0.0:9400", description="HOST:PORT of /metrics, /healthz, /readyz")
    max_message_bytes: Size = Field(
        default=4 << 20, description="bytes of a message to Pilotfish's own services, or with a unit"
    )
    max_watchers: int = Field(default=1000, ge=1, description="open WatchRanking streams, at most")
    grace: Seconds = Field(
        default=10.0, description="seconds, or with a unit, to finish open calls at shutdown"
    )


class Scoring(_Section):
    """The scoring process and what it may take. A change needs a restart."""

    cpu_share: float = Field(default=0.5, gt=0, le=64, description="share of one core, kept on average")
    priority: Literal["idle", "low"] = Field(
        default="idle", description="idle: takes only processor time that nothing else wants; low: nice 10"
    )
    queue: Size = Field(
        default=16 << 20,
        description="bytes, or with a unit, of sampled requests that wait for scoring, at most",
    )


class Log(_Section):
    """What is logged. Payloads never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is told"
    )
    format: Literal["json", "console"] = Field(default="json", description="for machines or for people")


class Config(_Section):
    """The whole file. Environment variables override it: PILOTFISH_SERVE__GRPC=127.0.0.1:9500."""

    endpoints: tuple[Endpoint, ...] = Field(
        min_length=1, description="the streams of requests that are watched"
    )
    models: FilePath | None = Field(
        default=None, description="folder that RegisterCandidate may name files in; default: the file's own"
    )
    serve: Serve = Field(default=Serve(), description="where Pilotfish answers; a change needs a restart")
    scoring: Scoring = Field(default=Scoring(), description="what scoring may take; a change needs a restart")
    log: Log = Field(default=Log(), description="what is logged; a change needs a restart")
