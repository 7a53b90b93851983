"""The error model that each workload is judged with: fitted on all the others, never on itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import accuracies
from sidecar.accuracy.error_model import FITTED, ErrorModel, Judged, fit_error_model
from sidecar.domain.ranking import State

# Corrects nothing and errs not: what is estimated with it is the consensus itself.
_NONE: Final = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0)
# With fewer others, the shipped model stands for them.
_MIN_WORKLOADS: Final = 3


def error_models(cases: Mapping[str, Sequence[Case]], left_out: frozenset[str]) -> dict[str, ErrorModel]:
    """Fits a model for each workload on the targets of the others.

    Args:
        cases: by workload.
        left_out: workloads that no model is fitted on.

    Returns:
        by workload; and under the empty name the one fitted on all, which is what a release ships.
    """
    windows = {name: _windows(found) for name, found in cases.items() if name not in left_out}
    models = {}
    for name in (*cases, ""):
        others = [one for other, found in windows.items() if other != name for one in found]
        enough = len(windows.keys() - {name}) >= _MIN_WORKLOADS
        models[name] = fit_error_model(others) if enough else FITTED
    return models


def _windows(cases: Sequence[Case]) -> list[Judged]:
    """The targets whose candidates agree beyond chance: of the others no estimate is believed."""
    windows = []
    for case in cases:
        ranking = case.rank(_NONE)
        estimates = {one.name: one.accuracy for one in ranking.candidates}
        found = [estimates[name] for name in case.names]
        values = [one.value for one in found if one is not None]
        if ranking.state is not State.NEAR_CHANCE and len(values) == len(found):
            windows.append(
                Judged(case.workload, np.array(values), accuracies(case.evidence.votes, case.truth))
            )
    return windows
