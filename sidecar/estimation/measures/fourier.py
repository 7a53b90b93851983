"""Random Fourier features: one mean vector stands for a whole distribution of items.

The inner product of two items' features is, on average over the frequencies, their Gaussian kernel
exp(-|x - y|^2 / (2 d)) on inputs standardised by the source; d features. Its width is sqrt(d)
because two items of the source then are, on average, one unit of the exponent apart: the kernel
neither takes all of them for equal nor all for different. Means over rows merge by their row counts.

References:
    Rahimi & Recht 2007.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sidecar.core.profile import FOURIER_FREQUENCIES
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.scale import deviations

# Constant, as a profile and the window must be projected alike.
_SEED = 128
# Deviations from the mean; farther out, single precision would leave the projections' phase to chance.
_FARTHEST = 1e3
# Temporaries of 32 MB.
_CHUNK_VALUES = 1 << 22
# What 53 random bits make a number in [0, 1) with.
_UNIT = 2.0**-53


def mean_fourier(rows: Array, mean: Floats, variance: Floats) -> Floats:
    """Takes the mean of the rows' random Fourier features.

    Args:
        rows: finite, shape [rows, d], at least one.
        mean: the source's [d].
        variance: the source's [d].

    Returns:
        [2 FOURIER_FREQUENCIES]: cosines, then sines; the features of one row have length 1.
    """
    scale = deviations(variance)
    total = np.zeros(2 * FOURIER_FREQUENCIES)
    step = _CHUNK_VALUES // max(len(mean), len(total))
    for start in range(0, len(rows), step):
        with np.errstate(over="ignore"):
            standard = rows[start : start + step] - mean
            standard /= scale
        np.clip(standard, -_FARTHEST, _FARTHEST, out=standard)
        phases = standard.astype(np.float32) @ _frequencies(len(mean))
        total += np.concatenate([np.cos(phases), np.sin(phases)], axis=1).sum(axis=0, dtype=np.float64)
    return np.asarray(total / (len(rows) * FOURIER_FREQUENCIES**0.5))


@lru_cache(maxsize=8)
def _frequencies(features: int) -> Array:
    """Normal with variance 1 / features, float32 [features, FOURIER_FREQUENCIES].

    Made from raw bits, which numpy keeps the same from version to version; its own normal draws it
    does not, and a profile must fit the window of a later version.

    References:
        Box & Muller 1958.
    """
    bits = np.random.PCG64(_SEED).random_raw(2 * features * FOURIER_FREQUENCIES)
    first, second = ((bits >> np.uint64(11)) * _UNIT).reshape(2, features, FOURIER_FREQUENCIES)
    normal = np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)
    return np.asarray(normal / features**0.5, dtype=np.float32)
