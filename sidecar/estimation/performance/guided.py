"""Guided sampling: the source says which options matter; the target is measured and fitted in those alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.performance.task import Curve, Learned, Rows, Task, curve
from sidecar.estimation.performance.terms import Term, columns

# Measurements for each coefficient.
_ROWS_PER_COEFFICIENT: Final = 2
# Of columns whose size is one half: rows outweigh it at once, and it settles columns that cannot be told
# apart.
_RIDGE: Final = 1e-3


def fit(task: Task, learned: Learned) -> Curve:  # noqa: ARG001 - a source keeps its own terms
    """Fits the first source's strongest terms to the target by least squares, as many as the rows bear."""
    terms = task.pool.sources[0].terms
    return curve(task, lambda rows, values: _fit(task.space.groups, terms, rows, values))


def _fit(groups: Array, terms: Sequence[Term], rows: Rows, values: Floats) -> Callable[[Rows], Floats]:
    bearable = len(values) // _ROWS_PER_COEFFICIENT
    used: list[Term] = []
    for term in terms:
        widths = [part.shape[1] for part in columns(rows.features, groups, [*used, term])]
        if 1 + sum(widths) > bearable:
            break
        used.append(term)

    def design(asked: Rows) -> Floats:
        return np.concatenate([np.empty((len(asked), 0)), *columns(asked.features, groups, used)], axis=1)

    matrix = design(rows)
    centre, level = matrix.mean(axis=0), float(values.mean()) if len(values) else 0.0
    centred = matrix - centre
    gram = centred.T @ centred + _RIDGE * np.eye(matrix.shape[1])
    solution = np.linalg.solve(gram, centred.T @ (values - level))
    return lambda asked: level + (design(asked) - centre) @ solution
