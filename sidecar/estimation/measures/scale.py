"""The unit in which distances from the source are told: each feature's standard deviation there."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats

# A feature that hardly varies in the source counts as varying by this share of what is usual: left
# alone, the smallest move of a constant would outweigh all other features.
LEAST_SHARE = 0.01


def deviations(variance: Floats) -> Floats:
    """Takes each feature's standard deviation, at least `least_deviation`.

    Args:
        variance: variance of the source's features [d], not negative.

    Returns:
        positive, [d].
    """
    return np.asarray(np.maximum(np.sqrt(variance), least_deviation(variance)))


def least_deviation(variance: Floats) -> float:
    """Takes 1 % of the median standard deviation of the features that vary; 1 where none does."""
    varying = variance[variance > 0]
    return LEAST_SHARE * float(np.median(np.sqrt(varying))) if len(varying) else 1.0
