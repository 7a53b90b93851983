"""What each workload is judged with: learned on all the others, never on itself.

How fast votes fall off and the error model are chosen by the grid and the criteria written out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import Score, accuracies, qualities, score
from sidecar.core.ranking import State
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.error_model import ErrorModel, Judged, fit_error_model
from sidecar.estimation.accuracy.learned import LEARNED, Learned

FALLOFFS: Final = (0.0, 1.0, 2.0)
# Left for another one only where that is surely better.
_MIDDLE: Final = FALLOFFS[1]
# Corrects nothing and errs not: what is estimated with it is the consensus itself.
_NONE: Final = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0, validated=0)
# With fewer others, what the release ships stands for them.
_MIN_WORKLOADS: Final = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The consensus on one target beside the truth.

    Attributes:
        judged: consensus and true accuracies of C candidates.
        quality: what makes a candidate good [C].
    """

    judged: Judged
    quality: Floats

    def score(self, errors: ErrorModel) -> Score:
        """How good the order is with this error model."""
        return score(errors.corrected(self.judged.consensus).tolist(), self.quality, self.judged.truth)


# By falloff.
Windows = Mapping[float, Window]


def windows(cases: Iterable[Case]) -> list[Windows]:
    """Ranks each target with every falloff; of candidates that agree by chance no estimate is believed."""
    made: list[Windows] = []
    for case in cases:
        # Without sources there is nothing that votes could fall off by.
        tried = FALLOFFS if any(case.sources) else FALLOFFS[:1]
        found = [window for falloff in tried if (window := _window(case, falloff))]
        if len(found) == len(tried):
            made.append(dict(zip(FALLOFFS, found * (len(FALLOFFS) // len(tried)), strict=True)))
    return made


def learn(found: Mapping[str, Sequence[Windows]], controls: frozenset[str]) -> dict[str, Learned]:
    """Learns for each workload on the targets of the others.

    Args:
        found: by workload.
        controls: workloads that nothing is learned on.

    Returns:
        by workload; and under the empty name what was learned on all, which is what a release ships.
    """
    usable = {name: some for name, some in found.items() if name not in controls}
    learned = {}
    for name in (*found, ""):
        others = [one for other, some in usable.items() if other != name for one in some]
        enough = len(usable.keys() - {name}) >= _MIN_WORKLOADS
        learned[name] = _learned(others) if enough else LEARNED
    return learned


def _window(case: Case, falloff: float) -> Window | None:
    ranking = case.rank(Learned(falloff, _NONE))
    estimates = {one.name: one.accuracy for one in ranking.candidates}
    values = [one.value for name in case.names if (one := estimates[name]) is not None]
    if ranking.state is State.NEAR_CHANCE or len(values) < len(case.names):
        return None
    votes = case.evidence.votes
    return Window(
        judged=Judged(case.workload, np.array(values), accuracies(votes, case.truth)),
        quality=qualities(case.quality, votes, case.truth),
    )


def _learned(targets: Sequence[Windows]) -> Learned:
    """Takes the falloff that loses least; the middle one, where the least is less by chance only."""
    fits = {falloff: fit_error_model([one[falloff].judged for one in targets]) for falloff in FALLOFFS}
    losses = {one: _losses([target[one] for target in targets], fits[one]) for one in FALLOFFS}
    least = min(losses, key=lambda one: losses[one].mean())
    gained = losses[_MIDDLE] - losses[least]
    # One standard error of the mean over the workloads.
    sure = gained.mean() > gained.std(ddof=1) / np.sqrt(len(gained))
    falloff = least if sure else _MIDDLE
    return Learned(falloff, fits[falloff])


def _losses(found: Sequence[Window], errors: ErrorModel) -> Floats:
    """Regret plus mean error of the estimated accuracy, of each workload."""
    means = []
    for _, some in groupby(found, key=lambda one: one.judged.group):
        scores = [one.score(errors) for one in some]
        means.append(np.mean([one.regret + (one.mae or 0.0) for one in scores]))
    return np.array(means)
