"""The one schema of the configuration file. Frozen; every limit has a default and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from sidecar.config.units import Address, FilePath, Seconds, Size
from sidecar.domain.errors import InvalidError
from sidecar.domain.ranking import Estimate
from sidecar.frontier.constraints import Constraint as Bound
from sidecar.frontier.value import Lexicographic, WeightedProduct, default_weights
from sidecar.measures.table import DEFAULT, find_measure
from sidecar.ranking.decision import Order, Preference
from sidecar.ranking.objectives import ACCURACY, DIRECTIONS

# Of the HTTP port.
PATHS = ("/metrics", "/healthz", "/readyz")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


def _measure(name: str) -> str:
    try:
        return find_measure(name).name
    except InvalidError as error:
        raise ValueError(str(error)) from error


MeasureName = Annotated[str, AfterValidator(_measure)]
ObjectiveName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_MODEL = "model name in the requests to sample; default: the endpoint's name"


_ENVOY = (
    "HOST:PORT of Envoy's admin page, where copies that it could not send are counted; default: not asked"
)


class Proxy(_Section):
    """The built-in proxy: relays every byte to `upstream` and reads along."""

    listen: Address = Field(description="where clients connect")
    upstream: Address | None = Field(
        default=None, description="the model server; without one the incumbent answers through onnxruntime"
    )
    model: str | None = Field(default=None, description=_MODEL)


class Rest(_Section):
    """The built-in proxy for HTTP/1.1: clients of `/v2/models/NAME/infer`."""

    listen: Address = Field(description="where clients connect")
    upstream: Address = Field(description="the model server's HTTP port")
    model: str | None = Field(default=None, description=_MODEL)


class Mirror(_Section):
    """Takes copies of the requests, from Envoy's `request_mirror_policies` or Istio's `mirror`."""

    listen: Address = Field(description="where the copies are sent")
    envoy: Address | None = Field(default=None, description=_ENVOY)
    model: str | None = Field(default=None, description=_MODEL)


class Observer(_Section):
    """Takes copies of requests and answers, from Envoy's `ext_proc` filter in observability mode."""

    listen: Address = Field(description="where the filter sends them")
    envoy: Address | None = Field(default=None, description=_ENVOY)
    model: str | None = Field(default=None, description=_MODEL)


def _free_path(path: str) -> str:
    if path in PATHS:
        raise ValueError(f"{path} is Pilotfish's own; name another")
    return path


class CloudEvents(_Section):
    """Takes copies of requests and answers, from KServe's logger, on the HTTP port."""

    path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$"), AfterValidator(_free_path)] = (
        Field(default="/events", description="of the URL that the logger posts to")
    )
    model: str | None = Field(
        default=None,
        description="`inferenceservicename` of the events to sample; default: the endpoint's name",
    )


class Capture(_Section):
    """One way in for an endpoint's traffic: just one of these."""

    proxy: Proxy | None = Field(default=None, description="the built-in proxy")
    rest: Rest | None = Field(default=None, description="the built-in proxy, for HTTP/1.1")
    mirror: Mirror | None = Field(default=None, description="copies of requests")
    observer: Observer | None = Field(default=None, description="copies of requests and answers, from Envoy")
    cloudevents: CloudEvents | None = Field(
        default=None, description="copies of requests and answers, from KServe"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(ways) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"give one of {known}; there is {', '.join(ways) or 'none'}")
        return self

    @property
    def way(self) -> str:
        """The key of the one that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def sees_latency(self) -> bool:
        """Whether request and answer are both seen, so that what lies between them can be told."""
        return self.mirror is None

    @property
    def settings(self) -> Proxy | Rest | Mirror | Observer | CloudEvents:
        """The one that is given."""
        ways = (self.proxy, self.rest, self.mirror, self.observer, self.cloudevents)
        return next(way for way in ways if way is not None)


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
        default=None, description="gRPC metadata key or HTTP header, lower case; its value names the segment"
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
    provider: Literal["cpu", "cuda", "tensorrt", "openvino", "dnnl", "xnnpack"] = Field(
        default="cpu",
        description="what runs it; another one needs an onnxruntime that has it, and takes of an accelerator",
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor by model input, where the names differ"
    )
    session: dict[str, str] = Field(
        default_factory=dict, description="onnxruntime session configuration entries"
    )


class Tls(_Section):
    """PEM files for a connection; an empty section trusts the system's roots."""

    ca: FilePath | None = Field(default=None, description="roots to trust; default: the system's")
    cert: FilePath | None = Field(default=None, description="the client's own certificate, with `key`")
    key: FilePath | None = Field(default=None, description="of `cert`")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together: give both or none")
        return self


class V2(_Section):
    """A model behind a server of the Open Inference Protocol: Triton, MLServer, KServe and others."""

    url: Address = Field(description="HOST:PORT of the server's gRPC port")
    model: str = Field(min_length=1, description="its name there")
    version: str = Field(default="", description="default: the server's choice")
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
    tls: Tls | None = Field(default=None, description="default: plain text")
    # What HTTP/2 allows, but for what gRPC keeps to itself.
    metadata: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.][a-z0-9_.-]{0,63}$")],
        Annotated[str, StringConstraints(pattern=r"^[ -~]*$")],
    ] = Field(default_factory=dict, description="sent with every request, by lower-case key")


class Performance(_Section):
    """What the candidate costs to serve here."""

    model: FilePath = Field(description="written by `pilotfish perf fit`; relative to the configuration file")
    configuration: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="options that it is served with; those not named have the model's defaults",
    )


def _plain_value(given: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    return given if isinstance(given, Mapping | BaseModel) else {"value": given}


class Declared(_Section):
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


class Candidate(_Section):
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
    objectives: dict[ObjectiveName, Annotated[Declared, BeforeValidator(_plain_value)]] = Field(
        default_factory=dict,
        description="costs and yields that are known, by objective: a number, or value, low and high; they "
        "come before what `performance` predicts",
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


def _named(given: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    return {"name": given} if isinstance(given, str) else given


class Objective(_Section):
    """What counts in a ranking."""

    name: ObjectiveName = Field(
        description=f"{', '.join(DIRECTIONS)}, or one that the candidates declare in `objectives`"
    )
    direction: Literal["max", "min"] | None = Field(
        default=None, description="which way is better; needed for a name that is not one of the known"
    )
    weight: Finite | None = Field(
        default=None,
        ge=0,
        description="1 for the first objective; of another one 0.07: what doubles it must change the first "
        "by about 5 % to be worth it",
    )
    tolerance: Finite = Field(
        default=0.0, ge=0, description="lexicographic only: smaller differences do not count"
    )

    @model_validator(mode="after")
    def _known_direction(self) -> Self:
        known = DIRECTIONS.get(self.name)
        if known is None and self.direction is None:
            raise ValueError(
                f"objective {self.name!r} is none of {', '.join(DIRECTIONS)}: say `direction: min` or `max`"
            )
        if known is not None and self.direction not in (None, "max" if known > 0 else "min"):
            raise ValueError(f"objective {self.name!r} has the other direction: leave `direction` out")
        return self

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return DIRECTIONS.get(self.name) or (1 if self.direction == "max" else -1)


def _limit(given: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    return given if isinstance(given, Mapping | BaseModel) else {"limit": given}


class Constraint(_Section):
    """A bound that a candidate must keep."""

    limit: Finite | None = Field(
        default=None,
        description="at most this of what should be little, at least this of what should be much",
    )
    at_most: Finite | None = Field(default=None, description="upper bound")
    at_least: Finite | None = Field(default=None, description="lower bound")
    probability: float = Field(default=0.9, gt=0, lt=1, description="with which it must hold")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.limit is None and self.at_most is None and self.at_least is None:
            raise ValueError("give a number, or at_most, or at_least")
        if self.limit is not None and (self.at_most is not None or self.at_least is not None):
            raise ValueError("give either limit, or at_most and at_least")
        return self

    def bound(self, objective: str, direction: int | None) -> Bound:
        """The bounds of an objective of this direction; None: not known.

        Raises:
            InvalidError: the bounds contradict each other, or nobody knows on which side the limit is.
        """
        at_most, at_least = self.at_most, self.at_least
        if self.limit is not None:
            if direction is None:
                raise InvalidError(
                    f"constraint {objective}: its direction is not known: say at_most or at_least"
                )
            at_most, at_least = (self.limit, None) if direction < 0 else (None, self.limit)
        return Bound(objective, at_most=at_most, at_least=at_least, probability=self.probability)


class Ranking(_Section):
    """When and how the candidates are ranked."""

    every: Seconds = Field(default=5.0, description="seconds between rankings, or with a unit: 5s, 200ms, 1m")
    stale_after: Seconds = Field(
        default=60.0, description="seconds, or with a unit; an older ranking says STALE"
    )
    min_items: int = Field(default=50, ge=2, description="fewer items say INSUFFICIENT_DATA")
    objectives: tuple[Annotated[Objective, BeforeValidator(_named)], ...] = Field(
        default=(Objective(name="accuracy"),),
        min_length=1,
        max_length=8,
        description="what counts, the most important first: names, or name, direction, weight, tolerance; "
        "regret is in the unit of the first",
    )
    constraints: dict[ObjectiveName, Annotated[Constraint, BeforeValidator(_limit)]] = Field(
        default_factory=dict,
        description="bounds by objective: a number, or at_most, at_least, probability; a candidate that "
        "breaks one is listed last",
    )
    prefer: Literal["weights", "lexicographic"] = Field(
        default="weights",
        description="weights: by all objectives together; lexicographic: a later one counts only where those "
        "before differ by no more than their tolerance",
    )
    order: Literal["expected_regret", "p_best", "p_nondominated", "efficiency"] = Field(
        default="expected_regret", description="what puts the candidates in order"
    )
    false_alarm: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="probability, over all rounds together, that the recommended candidate changes in vain",
    )
    measures: tuple[MeasureName, ...] = Field(
        default=DEFAULT, description="what ExplainCandidate shows; `pilotfish measures` lists all"
    )
    seed: int = Field(default=0, ge=0, description="of the bootstrap")

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        names = [one.name for one in self.objectives]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"objective {twice[0]!r} stands there twice")
        try:
            self.preference  # noqa: B018 - raises what is wrong
        except InvalidError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def preference(self) -> Preference:
        """What puts the candidates in order.

        Raises:
            InvalidError: weights or constraints contradict each other.
        """
        directions = {one.name: one.sign for one in self.objectives}
        usual = default_weights(len(directions))
        value = (
            Lexicographic(tuple(one.tolerance for one in self.objectives))
            if self.prefer == "lexicographic"
            else WeightedProduct(
                tuple(
                    weight if one.weight is None else one.weight
                    for one, weight in zip(self.objectives, usual, strict=True)
                )
            )
        )
        known = {**DIRECTIONS, **directions}
        bounds = tuple(one.bound(name, known.get(name)) for name, one in self.constraints.items())
        return Preference(directions, value, bounds, Order(self.order))


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

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        behind_a_server = {one.name for one in self.candidates if one.v2 is not None}
        ways = (capture.proxy for capture in self.capture)
        if self.incumbent in behind_a_server and any(way and way.upstream is None for way in ways):
            raise ValueError(
                f"the incumbent {self.incumbent!r} is behind a server: name that as the proxy's upstream"
            )
        return self


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
    priority: Literal["normal", "low"] = Field(
        default="normal",
        description="low: nice 10, where all captures take copies and the median counts more than the tail",
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


class Interference(_Section):
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
    interference: Interference = Field(
        default=Interference(), description="what shadow work may do to the model servers"
    )
    log: Log = Field(default=Log(), description="what is logged; a change needs a restart")
