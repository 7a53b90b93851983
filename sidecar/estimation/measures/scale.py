"""The unit in which distances from the source are told: each feature's standard deviation there."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats

# A feature that hardly varies in the source counts as varying by this share of what is usual: left
# alone, the smallest move of a constant would outweigh all other features.
LEAST_SHARE = 0.01


def deviations(variance: Floats) -> Floats:
    """Takes each feature's standard deviation, at least 1 % of the median of those that vary.

    Args:
        variance: of the source's features [d], not negative.

    Returns:
        positive, [d]; ones where no feature varies.
    """
    found = np.sqrt(variance)
    varying = found[found > 0]
    if not len(varying):
        return np.ones_like(found)
    return np.asarray(np.maximum(found, LEAST_SHARE * np.median(varying)))
