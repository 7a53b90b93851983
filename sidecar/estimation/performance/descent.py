"""The least value of a smooth function, and how curved the function is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sidecar.core.tensors import Floats

# Beyond these steps the value still falls, but by less than an answer's uncertainty.
_STEPS: Final = 60
# A step that promises less than this much is the last.
_LEAST_GAIN: Final = 1e-4
# No coordinate moves further in one step: the function is known near the place only.
_REACH: Final = 1.0
# A step must keep this share of what the slope promises, or it is cut to this share of its length, so
# many times.
_KEEPS: Final = 1e-4
_CUT: Final = 0.4
_CUTS: Final = 8
# The curvature along a step must be above 0, or nothing is learned from it.
_LEAST_CURVATURE: Final = 1e-10


def descend(function: Callable[[Floats], tuple[float, Floats]], start: Floats) -> tuple[Floats, Floats]:
    """Descends by the method of Broyden, Fletcher, Goldfarb and Shanno.

    Args:
        function: value and slope, shape [n], in a place, shape [n]; its curvature is around 1.
        start: a place.

    Returns:
        the place, shape [n], and the inverse of the function's curvature there, shape [n, n].

    References:
        Nocedal & Wright 2006, algorithm 6.1.
    """
    place, inverse = start, np.eye(len(start))
    value, slope = function(place)
    for _ in range(_STEPS):
        step = -inverse @ slope
        step *= _REACH / max(float(np.abs(step).max()), _REACH)
        promised = float(step @ slope)
        if -promised < _LEAST_GAIN:
            break
        for _ in range(_CUTS):
            new_value, new_slope = function(place + step)
            if new_value <= value + _KEEPS * promised:
                break
            step, promised = _CUT * step, _CUT * promised
        else:
            break
        inverse = _updated(inverse, step, new_slope - slope)
        place, value, slope = place + step, new_value, new_slope
    return place, inverse


def _updated(inverse: Floats, step: Floats, turned: Floats) -> Floats:
    curvature = float(step @ turned)
    if curvature <= _LEAST_CURVATURE:
        return inverse
    along = inverse @ turned
    grown = (1.0 + float(turned @ along) / curvature) * np.outer(step, step)
    updated: Floats = inverse + (grown - np.outer(along, step) - np.outer(step, along)) / curvature
    return updated
