"""The frontier under chance constraints: means and deviations instead of draws.

Values are independent and normal. Another candidate counts as giving as much of a good, or making do with
a share of a cost, only where that is so with a required probability; for normal values this is a
condition on means and deviations.

References:
    Land, Lovell & Thore 1993, on a free disposal hull instead of mixtures, with all objectives uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import checked, refuse, sides
from sidecar.core.tensors import Array, Floats

# Pairs that are compared at once: temporaries of 512 kB stay in the processor's caches.
_PAIRS: Final = 1 << 16


def chance_efficiency(
    means: Array, deviations: Array, directions: Sequence[int], probability: float
) -> Floats:
    """Efficiency of every candidate against others that beat it in each objective with a probability.

    At probability 0.5 this is the free disposal hull of the means. The surer it has to be, the more
    candidates have nobody who beats them.

    For a cost with means c, o and deviations s, t of the other one and the candidate, the share theta that
    suffices solves theta o - c = z sqrt(s^2 + theta^2 t^2).

    Args:
        means: shape [candidates, objectives]; costs are above 0, and without costs goods are.
        deviations: standard deviations, >= 0, of the same shape.
        directions: +1 for a good, -1 for a cost; one an objective.
        probability: required of each objective, 0.5 <= probability < 1.

    Returns:
        theta in (0, 1], shape [candidates].

    Raises:
        InvalidError: a value is not finite, not above 0 where it has to be, or the probability out of range.
    """
    if not 0.5 <= probability < 1:  # noqa: PLR2004 - told in the message
        raise InvalidError(f"probability is {probability}: give 0.5 or more and less than 1")
    goods, costs = sides(means, directions)
    spread = checked(deviations, directions)
    if spread.shape != (len(goods), goods.shape[1] + costs.shape[1]):
        raise InvalidError(
            f"deviations have shape {spread.shape}, means {np.shape(means)}: give one for each mean"
        )
    refuse(spread, spread < 0, "a standard deviation is 0 or more")
    minimised = np.asarray(directions) < 0
    good_spread, cost_spread = spread[:, ~minimised], spread[:, minimised]
    z = NormalDist().inv_cdf(probability)
    theta = np.empty(len(goods))
    step = max(_PAIRS // len(goods), 1)
    for start in range(0, len(goods), step):
        rows = slice(start, start + step)
        shares = np.zeros((len(theta[rows]), len(goods)))
        for mean, deviation in zip(costs.T, cost_spread.T, strict=True):
            own = mean[rows, None], deviation[rows, None]
            np.maximum(shares, _share(mean, deviation, *own, z), out=shares)
        for mean, deviation in zip(goods.T, good_spread.T, strict=True):
            own = mean[rows, None], deviation[rows, None]
            if costs.shape[1]:
                shares[mean - own[0] < z * np.hypot(deviation, own[1])] = np.inf
            else:
                np.maximum(shares, _share(*own, mean, deviation, z), out=shares)
        # Nobody is uncertain against themselves.
        theta[rows] = np.minimum(shares.min(axis=1), 1.0)
    return theta


def _share(less: Floats, less_spread: Floats, more: Floats, more_spread: Floats, z: float) -> Floats:
    """The least theta for which theta * more >= less is likely enough; infinite where none is."""
    head = more**2 - (z * more_spread) ** 2
    able = more > z * more_spread
    root = z * np.sqrt(np.where(able, (more_spread * less) ** 2 + less_spread**2 * head, 0.0))
    answers = np.full(root.shape, np.inf)
    np.divide(less * more + root, head, out=answers, where=able)
    return answers
