"""Opens a candidate's model behind a server from its section of the configuration."""

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
    """See `sidecar.scoring.runners.table.RunnerRow.open`; a server tells no hash to check it with."""
    read = read_profile(profile)
    return served_model(settings, read), read


def check_v2(model: V2Model) -> None:
    """See `sidecar.scoring.runners.table.RunnerRow.check`; asks the server to describe the model."""
    model.describe()


def served_model(settings: V2, profile: SourceProfile) -> V2Model:
    """Returns the model behind a server, without asking the server.

    Raises:
        InvalidError: a TLS file cannot be read, or the labels differ from the profile's classes.
    """
    # gRPC takes 20 MiB, so it is loaded only if there are candidates behind servers.
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
    """Returns the profile's classes as columns of the served output; empty if the order is the same."""
    if not labels:
        return ()
    if sorted(labels) != sorted(classes):
        raise InvalidError(
            f"v2.labels: its {len(labels)} names must be the profile's {len(classes)} classes, each once: "
            f"remove {sorted(set(labels) - set(classes))}, add {sorted(set(classes) - set(labels))}"
        )
    return tuple(labels.index(name) for name in classes)
