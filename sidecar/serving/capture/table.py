"""The table of captures as the serving process starts them: a row for each section of the configuration.

What a capture is configured by, where it listens, what it sees and how Envoy feeds it stands in its section;
see `sidecar.config.schema.captures.table`, which also says why there are two tables. To add a capture: its
section and a row there, its folder (`opening.py`, what that opens, `README.md`) and a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sidecar.config.schema import CaptureSection, CloudEvents, Mirror, Observer, Proxy, Rest
from sidecar.serving.capture.cloudevents.opening import open_cloudevents
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.listener import Listener
from sidecar.serving.capture.ext_proc.opening import change_observer, open_observer
from sidecar.serving.capture.mirror.opening import change_mirror, open_mirror
from sidecar.serving.capture.proxy.opening import change_proxy, open_proxy
from sidecar.serving.capture.rest.opening import change_rest, open_rest

Settings = TypeVar("Settings", bound=CaptureSection)
Running = TypeVar("Running", bound=Listener)


def _nothing_changes(_listener: Listener, _settings: CaptureSection, _incumbent: str) -> None:
    """Changes nothing: the settings of such a capture say only where it listens and what it samples."""


@dataclass(frozen=True, slots=True)
class CaptureRow(Generic[Settings, Running]):
    """How a capture is started.

    Attributes:
        section: its section of the configuration.
        open: makes it, from its key, its settings, the intakes by model name, and the address at which the
            incumbent answers in this process ("" where no capture asks it to). It opens nothing yet: `start`
            does. A capture whose section listens at a path makes an `EventListener`.
        change: gives a running one its settings of now, and the incumbent's address of now. Endpoints that
            share an address have the same settings but for `model`.
    """

    section: type[Settings]
    open: Callable[[CaptureKey, Settings, Mapping[str, Intake], str], Running]
    change: Callable[[Running, Settings, str], None] = _nothing_changes


CAPTURES: Final[tuple[CaptureRow[Any, Any], ...]] = (
    CaptureRow(Proxy, open_proxy, change_proxy),
    CaptureRow(Rest, open_rest, change_rest),
    CaptureRow(Mirror, open_mirror, change_mirror),
    CaptureRow(Observer, open_observer, change_observer),
    CaptureRow(CloudEvents, open_cloudevents),
)
_BY_SECTION: Final = {row.section: row for row in CAPTURES}


def row_of(settings: CaptureSection) -> CaptureRow[Any, Any]:
    """How the capture of a section is started; every section has a row."""
    return _BY_SECTION[type(settings)]
