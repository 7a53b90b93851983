"""The section of the toy runner `linear`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from sidecar.config.schema.runners.section import RunnerSection
from sidecar.config.units import FilePath


class Linear(RunnerSection):
    """A linear model whose weights and bias stand in a JSON file."""

    weights: FilePath = Field(description="the file; relative to the configuration file")
    batch: int = Field(default=16, ge=1, description="items given to the model at once")
    inputs: dict[str, str] = Field(default_factory=dict, description="request tensor by model input")

    @property
    def files(self) -> tuple[Path, ...]:
        """The file with the weights."""
        return (self.weights,)
