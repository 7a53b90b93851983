"""BF16, which numpy has no type for."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Array


def bfloat16_bits(array: Array) -> Array:
    """Rounds float32 to the nearest BF16, ties to even; NaN stays NaN.

    Returns:
        Its bits, uint16, the same shape.
    """
    bits = np.ascontiguousarray(array).view(np.uint32)
    # NaN stays one because its highest fraction bit is kept.
    rounded = np.where(np.isnan(array), bits | 0x00400000, bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.asarray(rounded.astype(np.uint16))
