"""Hypervolume: one number for a set of candidates, the volume that it dominates above a reference point.

moocore computes it (the extra `frontier`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import moocore
import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import gains
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated

# The greatest allowed number of steps: the size of a front to the power of objectives - 2.
_MOST: Final = 2_000_000


def hypervolume(points: Array, directions: Sequence[int], reference: Array) -> float:
    """Computes the volume of everything that lies between the reference and some point.

    Args:
        points: shape [candidates, objectives]. A point that does not beat the reference in every objective
            adds nothing.
        directions: +1 where higher is better, -1 where lower is, per objective.
        reference: the worst point that counts, shape [objectives].

    Returns:
        volume in the product of the objectives' units, >= 0.

    Raises:
        InvalidError: a value is not finite, a direction is missing, or the set is too large for so many
            objectives.
    """
    above, front = _front(points, directions, reference)
    if above.shape[1] == 1 or not len(front):
        return float(above[front].max(initial=0.0))
    return float(moocore.hypervolume(above[front], ref=np.zeros(above.shape[1]), maximise=True))


def contributions(points: Array, directions: Sequence[int], reference: Array) -> Floats:
    """Computes by how much the hypervolume would shrink without each candidate.

    Args:
        points: shape [candidates, objectives].
        directions: +1 where higher is better, -1 where lower is, per objective.
        reference: the worst point that counts, shape [objectives].

    Returns:
        volumes >= 0, shape [candidates]; 0 for a candidate that is dominated or has an equal.

    Raises:
        InvalidError: see `hypervolume`.
    """
    above, front = _front(points, directions, reference)
    answers = np.zeros(len(above))
    if above.shape[1] == 1:
        second = np.sort(above[:, 0])[-2:][0] if len(above) > 1 else 0.0
        answers[front] = above[front, 0] - second
    elif len(front):
        reached = np.zeros(above.shape[1])
        # A dominated candidate may fill what another one leaves, so all candidates are given.
        answers = np.maximum(
            moocore.hv_contributions(above, ref=reached, maximise=True, ignore_dominated=False), 0.0
        )
        answers[np.setdiff1d(np.arange(len(above)), front)] = 0.0
    return answers


def _front(points: Array, directions: Sequence[int], reference: Array) -> tuple[Floats, Array]:
    """Returns by how much points exceed the reference, at least 0, and the rows of the front above it."""
    above = np.maximum(gains(points, directions) - gains(np.atleast_2d(reference), directions), 0.0)
    better = np.flatnonzero((above > 0).all(axis=1))
    if len(better):
        better = better[nondominated(above[better], [1] * above.shape[1])]
    steps = len(better) ** max(above.shape[1] - 2, 0)
    if steps > _MOST:
        raise InvalidError(
            f"the hypervolume of {len(better)} nondominated candidates in {above.shape[1]} objectives may "
            f"take {steps:.0e} steps, but at most {_MOST:.0e} are allowed: leave out objectives or candidates"
        )
    return above, better
