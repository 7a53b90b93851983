"""Opens an incumbent that answers live calls, by what runs it.

A runner whose section says `answers_live` has a line in `_OPEN`. The line is not part of the runner's row in
the scoring process, which the serving process does not load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sidecar.config.schema import Candidate, Onnx, RunnerSection
from sidecar.inference.threads import threads_within

if TYPE_CHECKING:
    from sidecar.inference.onnx import OnnxModel
    from sidecar.serving.incumbent.server import Answer


def open_incumbent(incumbent: Candidate) -> Answer:
    """The model that answers where there is no upstream; an endpoint refuses an incumbent that cannot.

    Raises:
        InvalidError: a file is missing or broken.
    """
    return _OPEN[type(incumbent.model)](incumbent.model)


def _open_onnx(settings: Onnx) -> OnnxModel:
    # The runtime's 30 MiB are for those who have it answer.
    from sidecar.inference.onnx import OnnxModel  # noqa: PLC0415

    return OnnxModel(
        settings.path,
        threads=settings.threads or threads_within(math.inf),
        options=settings.session,
        provider=settings.provider,
    )


_OPEN: Final[Mapping[type[RunnerSection], Callable[[Any], Answer]]] = {Onnx: _open_onnx}
ANSWERS_LIVE: Final = frozenset(_OPEN)
