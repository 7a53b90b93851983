"""Checks candidates' objective values, and changes their signs so that more is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats


def checked(points: Array, directions: Sequence[int]) -> Floats:
    """Checks that every value is a finite number and every objective has a direction.

    Args:
        points: objective values, shape [..., candidates, objectives]; no axis is empty.
        directions: +1 if higher is better, -1 if lower is better, for each objective.

    Returns:
        the points as float64.

    Raises:
        InvalidError: an axis is empty, a value is not finite, or a direction is missing or wrong. The message
            names a value by objective and row, both counted from 1.
    """
    values = np.asarray(points, dtype=np.float64)
    # A frontier has two axes, a stack of draws has three.
    if values.ndim < 2 or not values.size:  # noqa: PLR2004 - told above
        raise InvalidError(f"points have shape {values.shape}: give at least a candidate and an objective")
    if len(directions) != values.shape[-1] or any(sign not in (-1, 1) for sign in directions):
        raise InvalidError(
            f"directions are {list(directions)} for {values.shape[-1]} objectives: give +1 (higher is "
            "better) or -1 (lower is better) for each"
        )
    refuse(values, ~np.isfinite(values), "leave the candidate or the objective out")
    return values


def gains(points: Array, directions: Sequence[int]) -> Floats:
    """Changes the signs of costs, so that more is better in every objective.

    Args:
        points: objective values, shape [..., candidates, objectives].
        directions: +1 or -1 for each objective, as for `checked`.

    Raises:
        InvalidError: see `checked`.
    """
    return checked(points, directions) * np.asarray(directions, dtype=np.float64)


def sides(points: Array, directions: Sequence[int]) -> tuple[Floats, Floats]:
    """Splits objectives into goods, of which more is better, and costs, of which less is better.

    Efficiencies are ratios of costs, or of goods if there are no costs, so these values must be above 0.

    Args:
        points: objective values, shape [candidates, objectives].
        directions: +1 or -1 for each objective, as for `checked`.

    Returns:
        goods [candidates, goods] and costs [candidates, costs]; each may have no columns.

    Raises:
        InvalidError: see `checked`; or a value that efficiency divides by is not above 0.
    """
    values = checked(points, directions)
    minimised = np.asarray(directions) < 0
    ratios = minimised if minimised.any() else ~minimised
    refuse(values, (values <= 0) & ratios, "efficiency divides by this objective: give values above 0")
    return values[:, ~minimised], values[:, minimised]


def refuse(values: Floats, wrong: Array, mend: str) -> None:
    """Raises an error for the first wrong value.

    Args:
        values: objective values, shape [..., candidates, objectives].
        wrong: whether each value is wrong; bool, of the same shape.
        mend: what the caller can do about it.

    Raises:
        InvalidError: a value is wrong.
    """
    if wrong.any():
        *_, row, objective = np.argwhere(wrong)[0].tolist()
        value = values[tuple(np.argwhere(wrong)[0])]
        raise InvalidError(f"objective {objective + 1} is {value:g} in row {row + 1}: {mend}")
