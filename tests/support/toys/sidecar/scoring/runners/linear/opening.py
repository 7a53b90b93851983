"""Opens a linear model from its section of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sidecar.config.schema.runners.linear import Linear
from sidecar.scoring.runners.linear.model import LinearModel

from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile
from sidecar.formats.profile import read_profile


def open_linear(settings: Linear, profile: Path, _threads: int) -> tuple[LinearModel, SourceProfile]:
    """See `sidecar.scoring.runners.table.RunnerRow.open`."""
    try:
        told = json.loads(settings.weights.read_text())
    except OSError as error:
        raise InvalidError(f"{settings.weights}: cannot be read: {error}") from error
    read = read_profile(profile)
    return LinearModel(np.array(told["weights"]), np.array(told["bias"]), read.inputs, read.output), read


def check_linear(model: LinearModel) -> None:
    """See `sidecar.scoring.runners.table.RunnerRow.check`."""
    if not np.isfinite(model.weights).all():
        raise InvalidError("a weight is not finite: train the model anew")
