"""The settings of the runner `onnx`; `sidecar.scoring.runners.onnx` implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from sidecar.config.schema.runners.section import RunnerSection, ShadowOptions
from sidecar.config.units import FilePath
from sidecar.core.providers import PROVIDERS


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"provider {name!r} is not known; choose one of {', '.join(PROVIDERS)}")
    return name


class Onnx(RunnerSection):
    """A model that onnxruntime runs in the scoring process."""

    answers_live: ClassVar = True

    path: FilePath = Field(description="the .onnx file; relative to the configuration file")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="intra-op threads; default: as many as `scoring.cpu_share` and the cgroup allow",
    )
    batch: int = Field(default=32, ge=1, le=4096, description="items that the model gets in one run")
    provider: Annotated[str, AfterValidator(_known_provider)] = Field(
        default="cpu",
        json_schema_extra={"enum": [*PROVIDERS]},
        description="execution provider of onnxruntime; all but cpu need an onnxruntime build with it "
        "and an accelerator",
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="request tensor for each model input whose name differs"
    )
    session: dict[str, str] = Field(
        default_factory=dict, description="session configuration entries of onnxruntime"
    )

    @property
    def files(self) -> tuple[Path, ...]:
        """The model file."""
        return (self.path,)

    @property
    def shadow_options(self) -> ShadowOptions | None:
        """Threads and provider; None where entries of the session change what a run takes."""
        return None if self.session else ShadowOptions(self.threads, self.provider)
