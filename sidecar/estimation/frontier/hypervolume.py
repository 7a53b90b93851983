"""Hypervolume: one number for a set, the volume that it dominates above a reference point.

References:
    While, Bradstreet & Barone 2012: exclusive volumes by limited sets, slicing by the last objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.points import gains
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated

# Areas to sum at worst: the size of a front to the power of objectives - 2. Each takes at most 2 us where
# there are four objectives or more, as most of the points of a slice fall away.
_MOST: Final = 2_000_000


def hypervolume(points: Array, directions: Sequence[int], reference: Array) -> float:
    """Takes the volume of all that lies between the reference and some point.

    Args:
        points: shape [candidates, objectives]; one that does not beat the reference everywhere adds nothing.
        directions: +1 where higher is better, -1 where lower is; one an objective.
        reference: a point, the worst that counts; shape [objectives].

    Returns:
        volume in the product of the objectives' units, >= 0.

    Raises:
        InvalidError: a value is not finite, a direction is missing, or the set is too large for so many
            objectives.
    """
    above = _above(points, directions, reference)
    front = above[_front(above)]
    _check_size(len(front), above.shape[1])
    return _volume(front)


def contributions(points: Array, directions: Sequence[int], reference: Array) -> Floats:
    """Tells by how much the hypervolume would shrink without each candidate.

    Args:
        points: shape [candidates, objectives].
        directions: of each objective.
        reference: a point, the worst that counts; shape [objectives].

    Returns:
        volumes >= 0, shape [candidates]; 0 for the dominated, and for the equal.

    Raises:
        InvalidError: see `hypervolume`.
    """
    above = _above(points, directions, reference)
    front = np.flatnonzero(_front(above))
    _check_size(len(front), above.shape[1])
    answers = np.zeros(len(above))
    for row in front:
        others = np.delete(above, row, axis=0)
        answers[row] = max(_exclusive(above[row], others), 0.0)
    return answers


def _above(points: Array, directions: Sequence[int], reference: Array) -> Floats:
    """By how much points exceed the reference, at least 0; shape [candidates, objectives]."""
    least = gains(np.atleast_2d(reference), directions)
    return np.maximum(gains(points, directions) - least, 0.0)


def _check_size(front: int, objectives: int) -> None:
    steps = front ** max(objectives - 2, 0)
    if steps > _MOST:
        raise InvalidError(
            f"the hypervolume of {front} nondominated candidates in {objectives} objectives may take "
            f"{steps:.0e} steps; at most {_MOST:.0e} are taken: leave out objectives or candidates"
        )


def _front(above: Floats) -> Array:
    """Marks the nondominated points that dominate anything at all."""
    answers = np.asarray((above > 0).all(axis=1))
    if answers.any():
        answers[answers] = nondominated(above[answers], [1] * above.shape[1])
    return answers


def _exclusive(point: Floats, others: Floats) -> float:
    """The volume that only the point dominates."""
    limited = np.minimum(others, point)
    return float(point.prod() - _volume(limited[_front(limited)]))


def _volume(front: Floats) -> float:
    """The volume between 0 and nondominated points, shape [points, objectives]."""
    if not len(front):
        return 0.0
    if front.shape[1] == 1:
        return float(front[0, 0])
    front = front[np.argsort(-front[:, -1])]
    if front.shape[1] == 2:  # noqa: PLR2004 - an area: steps down to the right
        return float((front[:, 0] * -np.diff(front[:, 1], append=0.0)).sum())
    # From the lowest up: those above a point reach its height, so what only it adds has that height.
    return sum(
        float(front[place, -1]) * _exclusive(front[place, :-1], front[:place, :-1])
        if place
        else float(front[0].prod())
        for place in range(len(front))
    )
