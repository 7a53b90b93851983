"""Makes the way to a candidate's model server from its section of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.config.schema import V2
from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile
from sidecar.formats.profile import read_profile
from sidecar.wire.v2.way import way_to

if TYPE_CHECKING:
    from sidecar.scoring.runners.v2.model import V2Model


def open_v2(settings: V2, profile: Path, _threads: int) -> tuple[V2Model, SourceProfile]:
    """See `sidecar.scoring.runners.table.RunnerRow.open`; nobody can tell whose the profile is."""
    read = read_profile(profile)
    return served_model(settings, read), read


def check_v2(model: V2Model) -> None:
    """See `sidecar.scoring.runners.table.RunnerRow.check`; asks the server what the model is."""
    model.describe()


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
