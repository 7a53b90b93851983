"""Ranks of a few values, and how far two orders agree."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats


def shares_below(values: Floats) -> Floats:
    """Takes the rank of each value as the share of the others below it; equal ones share their rank.

    Args:
        values: at least two, [C].
    """
    below = (values[:, None] > values).sum(axis=1)
    alike = (values[:, None] == values).sum(axis=1) - 1
    return np.asarray((below + alike / 2) / (len(values) - 1))


def spearman(one: Floats, other: Floats) -> float | None:
    """Spearman's rank correlation with average ranks for ties; None where either side orders nothing.

    Args:
        one: shape [C].
        other: shape [C].
    """
    if len(one) < 2 or (one == one[0]).all() or (other == other[0]).all():  # noqa: PLR2004 - one has no order
        return None
    first, second = (shares_below(values) - 0.5 for values in (one, other))
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
