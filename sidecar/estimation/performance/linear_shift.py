"""Linear model shift: the target is a straight line of the source, on the metric's own scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.task import Curve, Learned, Rows, Task, curve

# A line has two coefficients: with fewer rows than they need and one for the error, only the factor is
# fitted.
_LEAST_ROWS: Final = 3
# A line may fall below 0; nothing is predicted below this share of the least measurement.
_FLOOR: Final = 0.1


def fit(task: Task, learned: Learned) -> Curve:  # noqa: ARG001 - nothing is learned that could be given
    """Fits the line by least squares."""
    return curve(task, _fit)


def _fit(rows: Rows, values: Floats) -> Callable[[Rows], Floats]:
    if len(rows) < _LEAST_ROWS:
        factor = float((values - rows.pooled).mean()) if len(rows) else 0.0
        return lambda asked: asked.pooled + factor
    source, target = np.exp(rows.pooled), np.exp(values)
    line = np.linalg.lstsq(np.stack([np.ones_like(source), source], axis=1), target, rcond=None)[0]
    floor = _FLOOR * float(target.min())
    return lambda asked: np.log(np.maximum(line[0] + line[1] * np.exp(asked.pooled), floor))
