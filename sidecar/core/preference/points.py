"""Checks candidates' objective values and turns them so that more is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats


def checked(points: Array, directions: Sequence[int]) -> Floats:
    """Checks that every value is a finite number and every objective has a direction.

    Args:
        points: shape [..., candidates, objectives]; none of the axes is empty.
        directions: +1 where higher is better, -1 where lower is; one an objective.

    Returns:
        the points as float64.

    Raises:
        InvalidError: they are not so; a value is named by objective and row, both counted from 1.
    """
    values = np.asarray(points, dtype=np.float64)
    # A frontier needs both axes, a stack of draws one more.
    if values.ndim < 2 or not values.size:  # noqa: PLR2004 - told above
        raise InvalidError(f"points have shape {values.shape}: give a candidate and an objective at least")
    if len(directions) != values.shape[-1] or any(one not in (-1, 1) for one in directions):
        raise InvalidError(
            f"directions are {list(directions)} for {values.shape[-1]} objectives: give +1 (higher is "
            "better) or -1 (lower is better) for each"
        )
    refuse(values, ~np.isfinite(values), "leave the candidate or the objective out")
    return values


def gains(points: Array, directions: Sequence[int]) -> Floats:
    """Turns points so that more is better in every objective.

    Args:
        points: shape [..., candidates, objectives].
        directions: of each objective.

    Raises:
        InvalidError: see `checked`.
    """
    return checked(points, directions) * np.asarray(directions, dtype=np.float64)


def sides(points: Array, directions: Sequence[int]) -> tuple[Floats, Floats]:
    """Parts objectives into goods, of which more is better, and costs, of which less is.

    Efficiencies are ratios of costs, or of goods where there are no costs: those are above 0.

    Args:
        points: shape [candidates, objectives].
        directions: of each objective.

    Returns:
        goods [candidates, goods] and costs [candidates, costs]; either may have no columns.

    Raises:
        InvalidError: see `checked`; a cost, or without costs a good, is not above 0.
    """
    values = checked(points, directions)
    minimised = np.asarray(directions) < 0
    ratios = minimised if minimised.any() else ~minimised
    refuse(values, (values <= 0) & ratios, "efficiency is a ratio of such values: give them above 0")
    return values[:, ~minimised], values[:, minimised]


def refuse(values: Floats, wrong: Array, mend: str) -> None:
    """Raises for the first wrong value.

    Args:
        values: shape [..., candidates, objectives].
        wrong: bool, of the same shape.
        mend: what the caller can do.

    Raises:
        InvalidError: a value is wrong.
    """
    if wrong.any():
        *_, row, objective = np.argwhere(wrong)[0].tolist()
        value = values[tuple(np.argwhere(wrong)[0])]
        raise InvalidError(f"objective {objective + 1} is {value:g} in row {row + 1}: {mend}")
