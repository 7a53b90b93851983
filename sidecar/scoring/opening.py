"""Opens a candidate: its profile, and the ONNX model or the way to the server that answers for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sidecar.config.schema import V2, Candidate, Discover
from sidecar.domain.errors import InvalidError
from sidecar.domain.profile import SourceProfile
from sidecar.profiles.file import read_profile
from sidecar.scoring.model import Model
from sidecar.shadow.onnx import OnnxModel
from sidecar.shadow.threads import available_cores
from sidecar.shadow.v2 import V2Model
from sidecar.shadow.v2_server import Terms, Tls, V2Server


@dataclass(frozen=True, slots=True)
class OpenModels:
    """Opens candidates; `threads` holds for ONNX models whose configuration names none."""

    threads: int = 1

    def __call__(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        """As `sidecar.scoring.model.OpenModel`."""
        settings = candidate.model
        if isinstance(settings, V2):
            profile = read_profile(candidate.profile)
            return served_model(settings, profile), profile
        model = OnnxModel(settings.path, threads=settings.threads or self.threads, options=settings.session)
        return model, read_profile(candidate.profile, model_sha256=model.sha256)


def served_model(settings: V2, profile: SourceProfile) -> V2Model:
    """The model behind a server; the server is not asked yet.

    Raises:
        InvalidError: a TLS file cannot be read, or the labels are not the profile's classes.
    """
    return V2Model(
        way_to(settings),
        settings.model,
        settings.version,
        inputs=profile.inputs,
        outputs={profile.output: settings.output or profile.output},
        columns=_columns(settings.labels, profile.classes),
        shared_memory=settings.shared_memory,
    )


def way_to(settings: V2 | Discover) -> V2Server:
    """The way to a server, which is not asked yet.

    Raises:
        InvalidError: a TLS file cannot be read.
    """
    tls = settings.tls
    terms = Terms(
        deadline_s=settings.deadline,
        per_second=settings.per_second,
        tls=None if tls is None else Tls(tls.ca, tls.cert, tls.key),
        metadata=tuple(settings.metadata.items()),
    )
    return V2Server(settings.url, terms)


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


def threads_within(cpu_share: float) -> int:
    """The whole cores that both a budget and the cgroup's limit allow, at least one; inf is no budget."""
    cores = available_cores()
    return max(math.floor(cores if cpu_share > cores else math.ceil(cpu_share)), 1)
