"""Converts to BF16, for which numpy has no type."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Array


def bfloat16_bits(array: Array) -> Array:
    """Rounds float32 to the nearest BF16, ties to even; NaN stays NaN.

    Returns:
        the bits of the BF16 values, uint16, in the same shape.
    """
    bits = np.ascontiguousarray(array).view(np.uint32)
    # NaN stays NaN because its highest fraction bit is set.
    rounded = np.where(np.isnan(array), bits | 0x00400000, bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.asarray(rounded.astype(np.uint16))
