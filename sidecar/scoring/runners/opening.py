"""Opens a candidate: its profile, and the ONNX model or the way to the server that answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidecar.config.schema import V2, Candidate
from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile
from sidecar.formats.profile import read_profile
from sidecar.inference.onnx import OnnxModel
from sidecar.scoring.runners.model import Model
from sidecar.wire.v2.way import way_to

if TYPE_CHECKING:
    from sidecar.scoring.runners.v2.model import V2Model


@dataclass(frozen=True, slots=True)
class OpenModels:
    """Opens candidates; `threads` holds for ONNX models whose configuration names none."""

    threads: int = 1

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """As `sidecar.scoring.runners.model.OpenModel`."""
        settings = candidate.model
        if isinstance(settings, V2):
            profile = read_profile(candidate.profile)
            return served_model(settings, profile), profile
        model = OnnxModel(
            settings.path,
            threads=settings.threads or self.threads,
            options=settings.session,
            provider=settings.provider,
        )
        return model, read_profile(candidate.profile, model_sha256=model.sha256)


def served_model(settings: V2, profile: SourceProfile) -> V2Model:
    """The model behind a server; the server is not asked yet.

    Raises:
        InvalidError: a TLS file cannot be read, or the labels are not the profile's classes.
    """
    # gRPC's 20 MiB are for those who have candidates behind servers.
    from sidecar.scoring.runners.v2.model import V2Model  # noqa: PLC0415

    return V2Model(
        way_to(settings),
        settings.model,
        settings.version,
        inputs=profile.inputs,
        outputs={profile.output: settings.output or profile.output},
        columns=_columns(settings.labels, profile.classes),
        shared_memory=settings.shared_memory,
    )


def _columns(labels: tuple[str, ...], classes: tuple[str, ...]) -> tuple[int, ...]:
    """Where the profile's classes stand in the served output; empty where they stand in the same order."""
    if not labels:
        return ()
    if sorted(labels) != sorted(classes):
        raise InvalidError(
            f"v2.labels: {len(labels)} names that are not the profile's {len(classes)} classes, each once: "
            f"only here {sorted(set(labels) - set(classes))}, only there {sorted(set(classes) - set(labels))}"
        )
    return tuple(labels.index(name) for name in classes)
