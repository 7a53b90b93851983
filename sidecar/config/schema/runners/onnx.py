"""The section of the runner `onnx`, which `sidecar.scoring.runners.onnx` is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from sidecar.config.schema.runners.section import RunnerSection, ShadowOptions
from sidecar.config.units import FilePath
from sidecar.core.providers import PROVIDERS


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"there is no provider {name!r}; there is {', '.join(PROVIDERS)}")
    return name


class Onnx(RunnerSection):
    """A model that onnxruntime runs in the scoring process."""

    answers_live: ClassVar = True

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

    @property
    def files(self) -> tuple[Path, ...]:
        """The model file."""
        return (self.path,)

    @property
    def shadow_options(self) -> ShadowOptions | None:
        """Threads and provider; None where entries of the session change what a run takes."""
        return None if self.session else ShadowOptions(self.threads, self.provider)
