"""The table of runners: how the scoring process opens a model, one row for each section of the configuration.

A runner's section (`sidecar.config.schema.candidate`) holds its settings, the server that it asks, and what
its runs say about costs. To add a runner, write its section with a row there, its folder (`opening.py`, the
model, `README.md`) and a row here. A runner that also answers live calls in the serving process needs a third
row, in `sidecar.serving.incumbent.opening`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sidecar.config.schema import V2, Onnx, RunnerSection
from sidecar.core.profile import SourceProfile
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.onnx.opening import open_onnx
from sidecar.scoring.runners.v2.opening import check_v2, open_v2

Settings = TypeVar("Settings", bound=RunnerSection)
Opened = TypeVar("Opened", bound=Model)


def _opened_is_checked(_model: Model) -> None:
    """Checks nothing, for a runner that finds every fault when it opens a model."""


@dataclass(frozen=True, slots=True)
class RunnerRow(Generic[Settings, Opened]):
    """How a candidate's model is opened.

    Attributes:
        section: the runner's section of the configuration.
        open: opens the model and its profile, given the settings, the profile's path, and the threads for
            settings that do not set threads. It does not wait for a server. It raises InvalidError if a file
            is missing or broken, or if the profile belongs to another model.
        check: raises an error if an opened model cannot answer; `pilotfish check` calls it. It may wait for a
            server.
    """

    section: type[Settings]
    open: Callable[[Settings, Path, int], tuple[Opened, SourceProfile]]
    check: Callable[[Opened], None] = _opened_is_checked


RUNNERS: Final[tuple[RunnerRow[Any, Any], ...]] = (
    RunnerRow(Onnx, open_onnx),
    RunnerRow(V2, open_v2, check_v2),
)
_BY_SECTION: Final = {row.section: row for row in RUNNERS}


def row_of(settings: RunnerSection) -> RunnerRow[Any, Any]:
    """Returns the row of a section; every section has a row."""
    return _BY_SECTION[type(settings)]
