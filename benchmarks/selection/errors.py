"""The error model that each workload is judged with: fitted on all the others, never on itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import accuracies
from sidecar.accuracy.error_model import FITTED, ErrorModel, Judged, fit_error_model
from sidecar.domain.ranking import State

# Corrects nothing and errs not: what is estimated with it is the consensus itself.
_NONE: Final = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0, validated=0)
# With fewer others, the shipped model stands for them.
_MIN_WORKLOADS: Final = 3


def judged_windows(cases: Iterable[Case]) -> list[Judged]:
    """Sets the consensus beside the truth; of candidates that agree by chance no estimate is believed."""
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


def error_models(windows: Mapping[str, Sequence[Judged]], controls: frozenset[str]) -> dict[str, ErrorModel]:
    """Fits a model for each workload on the targets of the others.

    Args:
        windows: by workload.
        controls: workloads that no model is fitted on.

    Returns:
        by workload; and under the empty name the one fitted on all, which is what a release ships.
    """
    usable = {name: found for name, found in windows.items() if name not in controls}
    models = {}
    for name in (*windows, ""):
        others = [one for other, found in usable.items() if other != name for one in found]
        enough = len(usable.keys() - {name}) >= _MIN_WORKLOADS
        models[name] = fit_error_model(others) if enough else FITTED
    return models
