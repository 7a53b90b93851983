"""How far a prediction may be off: 90 % intervals that held-out rows have a say in."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.faults import sound

LEVEL: Final = 0.9
# Before rows say otherwise the model's own deviations are believed as much as this many rows.
_BELIEVED: Final = 10.0
# The scale tells which errors are faults, and these are left out of the scale: it has settled by then.
_TURNS: Final = 4
# 0.95 quantile of the normal distribution.
_NORMAL: Final = 1.6448536269514722


def half_width(values: Floats, mean: Floats, sd: Floats) -> float:
    """How many of a strategy's own standard deviations a 90 % interval reaches to either side.

    Two corrections: the scale of held-out errors, drawn towards 1 where there are few and without those
    that are faults of measuring, and the uncertainty of that scale itself (Student's t instead of the
    normal distribution).

    Args:
        values: measured logarithms, shape [rows].
        mean: predicted without the row, the same shape.
        sd: standard deviations of the held-out predictions.

    Returns:
        above 0.
    """
    errors = values - mean
    counts, scale = np.ones(len(errors)), 1.0
    for _ in range(_TURNS):
        scale = np.sqrt((_BELIEVED + counts @ (errors / sd) ** 2) / (_BELIEVED + counts.sum()))
        counts = sound(errors, (scale * sd) ** 2)
    return float(scale * student_quantile(max(len(errors) - 1, 2)))


def student_quantile(freedom: float) -> float:
    """0.95 quantile of Student's t, by the Cornish-Fisher expansion (error under 1 % from 3 on).

    References:
        Abramowitz & Stegun 26.7.5.
    """
    z = _NORMAL
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
