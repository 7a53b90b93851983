"""Opens a candidate's ONNX model from its section of the configuration."""

from __future__ import annotations

from pathlib import Path

from sidecar.config.schema import Onnx
from sidecar.core.profile import SourceProfile
from sidecar.formats.profile import read_profile
from sidecar.inference.onnx import OnnxModel


def open_onnx(settings: Onnx, profile: Path, threads: int) -> tuple[OnnxModel, SourceProfile]:
    """See `sidecar.scoring.runners.table.RunnerRow.open`; the profile must belong to this model file."""
    model = OnnxModel(
        settings.path,
        threads=settings.threads or threads,
        options=settings.session,
        provider=settings.provider,
    )
    return model, read_profile(profile, model_sha256=model.sha256)
