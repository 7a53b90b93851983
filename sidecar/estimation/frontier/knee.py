"""The knee of a frontier: where giving up a little of one objective no longer gains much of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.core.preference.points import gains
from sidecar.core.tensors import Array
from sidecar.estimation.frontier.dominance import nondominated


def knee(points: Array, directions: Sequence[int]) -> int | None:
    """Finds the point that bulges farthest out of the plane through the frontier's extremes.

    Objectives are scaled so that the frontier's worst is 0 and its best 1; the plane is where they sum to 1.

    Args:
        points: shape [candidates, objectives].
        directions: +1 where higher is better, -1 where lower is; one an objective.

    Returns:
        its row, the first of equal ones; None where no point lies beyond the plane but the extremes.

    Raises:
        InvalidError: an axis is empty, a value is not finite, or a direction is missing.

    References:
        Das 1999.
    """
    front = np.flatnonzero(nondominated(points, directions))
    values = gains(points, directions)[front]
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    scaled = (values - low) / np.where(span > 0, span, 1.0)
    sums = np.where((scaled < 1).all(axis=1), scaled.sum(axis=1), 0.0)
    best = int(sums.argmax())
    # Rounding alone does not make a knee of a straight frontier.
    return int(front[best]) if sums[best] > 1 + len(low) * np.finfo(np.float64).eps else None
