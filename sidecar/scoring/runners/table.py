"""The table of runners as the scoring process opens them: a row for each section of the configuration.

What a runner is configured by, which server it asks and what its runs say of costs stands in its section; see
`sidecar.config.schema.candidate`, which is the other table. To add a runner: its section and a row there, its
folder (`opening.py`, the model that it opens, `README.md`) and a row here. Only a runner that answers live
calls in the serving process as well has a third line, in `sidecar.serving.incumbent.opening`.
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
    """Of a runner that finds every fault when it opens a model."""


@dataclass(frozen=True, slots=True)
class RunnerRow(Generic[Settings, Opened]):
    """How a candidate's model is opened.

    Attributes:
        section: its section of the configuration.
        open: opens the model and its profile, from its settings, the profile's path, and the threads of a
            model whose settings name none. It waits for no server. It raises InvalidError where a file is
            missing or broken, or the profile is not this model's.
        check: finds what is wrong with an opened model before it is asked for answers, as `pilotfish check`
            wants it; may wait for a server. It raises the error.
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
    """How the model of a section is opened; every section has a row."""
    return _BY_SECTION[type(settings)]
