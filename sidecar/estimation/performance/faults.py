"""Faults of measuring: a row may be wrong by orders of magnitude, whatever its configuration.

The error of a row is normal. In one row of a thousand, a fault adds a further error of about a factor of ten.

References:
    the contaminated normal distribution (Tukey 1960).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.core.tensors import Floats

# Before a row is looked at. In the tables this was tried on none to two in a hundred are at fault; where
# faults are rare, a guess too high makes faults of what an option does.
_SHARE: Final = 1e-3
# Of a fault's error of the logarithm: one of three is off by more than a factor of ten.
VARIANCE: Final = float(np.log(10.0)) ** 2


def log_density(errors: Floats, variances: Floats) -> Floats:
    """Logarithm of the density of errors, but for a constant.

    Args:
        errors: errors of predictions of the logarithm, any shape.
        variances: variances of the predictions, noise included, the same shape.
    """
    found: Floats = np.logaddexp(
        np.log(1.0 - _SHARE) + _normal(errors, variances),
        np.log(_SHARE) + _normal(errors, variances + VARIANCE),
    )
    return found


def sound(errors: Floats, variances: Floats) -> Floats:
    """Probability that rows are no faults; the arguments are those of `log_density`."""
    found: Floats = np.exp(np.log(1.0 - _SHARE) + _normal(errors, variances) - log_density(errors, variances))
    return found


def _normal(errors: Floats, variances: Floats) -> Floats:
    density: Floats = -0.5 * (errors**2 / variances + np.log(variances))
    return density
