"""Opens a candidate's files: the ONNX model and the profile that must be its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sidecar.config.schema import Candidate
from sidecar.domain.profile import SourceProfile
from sidecar.profiles.file import read_profile
from sidecar.scoring.candidate import Model
from sidecar.shadow.onnx import OnnxModel
from sidecar.shadow.threads import available_cores


@dataclass(frozen=True, slots=True)
class OpenOnnx:
    """Opens candidates; `threads` holds for those whose configuration names none."""

    threads: int = 1

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """As `sidecar.scoring.candidate.OpenModel`."""
        onnx = candidate.onnx
        model = OnnxModel(onnx.path, threads=onnx.threads or self.threads, options=onnx.session)
        return model, read_profile(candidate.profile, model_sha256=model.sha256)


def threads_within(cpu_share: float) -> int:
    """The whole cores that both a budget and the cgroup's limit allow, at least one; inf is no budget."""
    cores = available_cores()
    return max(math.floor(cores if cpu_share > cores else math.ceil(cpu_share)), 1)
