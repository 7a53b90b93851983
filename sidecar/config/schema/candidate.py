"""The models that could serve: what runs them, what they cost, which servers have more of them.

`Candidate` is also the table of runners as everybody but the scoring process needs it: a row is a field whose
class is a `RunnerSection`. A runner is two halves as a capture is, for the reasons that
`sidecar.config.schema.captures.table` gives. Its section, one file of `sidecar.config.schema.runners` and one
row here, is what both processes, the command line and the chart read. Its implementation, a folder of
`sidecar.scoring.runners` and one row of the table there, is what the serving process does not load. A test
compares the two tables.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from sidecar.config.schema.runners.onnx import Onnx
from sidecar.config.schema.runners.section import RunnerSection
from sidecar.config.schema.runners.v2 import V2, V2Server
from sidecar.config.schema.section import Name, ObjectiveName, Positive, Section
from sidecar.config.units import FilePath, Seconds
from sidecar.core.preference.objectives import ACCURACY
from sidecar.core.ranking import Estimate

MAX_CANDIDATES = 256
_MODEL_NAME = "{model}"


class Performance(Section):
    """How the candidate's serving costs are predicted."""

    model: FilePath = Field(
        description="performance model, written by `pilotfish perf fit`; relative to the configuration file"
    )
    configuration: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="options that the candidate is served with; default of an option: the performance "
        "model's",
    )


def _plain_value(given: Any) -> Any:  # noqa: ANN401 - raw YAML
    return given if isinstance(given, Mapping | BaseModel) else {"value": given}


class Declared(Section):
    """The value of an objective that the operator knows."""

    value: Positive = Field(description="value above 0, in the unit at the end of the objective's name")
    low: Positive | None = Field(
        default=None, description="lower end of the value's 90 % interval; default: the value"
    )
    high: Positive | None = Field(
        default=None, description="upper end of the value's 90 % interval; default: the value"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.estimate.low <= self.value <= self.estimate.high:
            raise ValueError(
                f"low {self.low}, value {self.value}, high {self.high} are not in order: low <= value "
                "<= high must hold"
            )
        return self

    @property
    def estimate(self) -> Estimate:
        """The value with its interval; of no width where none was given."""
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        return Estimate(self.value, low, high)


class Candidate(Section):
    """A model that could serve."""

    name: Name = Field(description="name, unique in its endpoint, of letters, digits, `.`, `_` and `-`")
    profile: FilePath = Field(
        description="source profile, built by `pilotfish profile build`; relative to the configuration file"
    )
    # The table of runners; a candidate has one of them.
    onnx: Onnx | None = Field(
        default=None, description="the scoring process runs the model; give `onnx` or `v2`"
    )
    v2: V2 | None = Field(default=None, description="a model server runs the model; give `onnx` or `v2`")
    performance: Performance | None = Field(
        default=None,
        description="predicts what the candidate costs to serve; PerformanceService.Predict answers from it",
    )
    objectives: dict[ObjectiveName, Annotated[Declared, BeforeValidator(_plain_value, float | Declared)]] = (
        Field(
            default_factory=dict,
            description="known values by objective: a number, or value, low and high; they take "
            "precedence over "
            "what `performance` predicts",
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
        if sum(getattr(self, name) is not None for name in RUNNERS) != 1:
            raise ValueError(f"give exactly one of {', '.join(RUNNERS)}")
        return self

    @property
    def model(self) -> RunnerSection:
        """What answers for it."""
        settings: RunnerSection = next(
            given for name in RUNNERS if (given := getattr(self, name)) is not None
        )
        return settings

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is opened from."""
        return self.profile, *self.model.files


RUNNERS: Final[Mapping[str, type[RunnerSection]]] = MappingProxyType(
    {
        name: part
        for name, field in Candidate.model_fields.items()
        for part in typing.get_args(field.annotation)
        if isinstance(part, type) and issubclass(part, RunnerSection)
    }
)
"""The section of every runner, by its key."""


def _for_each_model(path: Path) -> Path:
    if _MODEL_NAME not in str(path):
        raise ValueError(f"the path lacks {_MODEL_NAME}: write it in place of the model's name")
    return path


class Discover(V2Server):
    """Candidates that come and go with the models that a server says are ready."""

    models: str = Field(
        default="*",
        min_length=1,
        description="pattern of the models' names, with * for any characters; a candidate gets its "
        "model's name",
    )
    profiles: Annotated[FilePath, AfterValidator(_for_each_model)] = Field(
        description=f"path of the profiles, with {_MODEL_NAME} in place of the model's name; relative to the "
        "configuration file"
    )
    every: Seconds = Field(
        default=5.0,
        description="time between two reads of the server's repository index, in seconds or with a unit",
    )

    def candidate(self, model: str) -> Candidate:
        """The candidate that a model of the server is; `is_name` holds for it."""
        options = {name: getattr(self, name) for name in V2Server.model_fields}
        return Candidate(
            name=model,
            profile=Path(str(self.profiles).replace(_MODEL_NAME, model)),
            v2=V2(model=model, **options),
        )
