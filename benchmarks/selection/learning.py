"""What each workload is judged with: learned on all the others, never on itself.

How fast votes fall off, the error model, and from where on an order is doubted are chosen in this order, by
the grid and the criteria written out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import BAD, Score, accuracies, qualities, score
from sidecar.accuracy.error_model import ErrorModel, Judged, fit_error_model
from sidecar.accuracy.estimate import AccuracyEstimate
from sidecar.accuracy.learned import LEARNED, Learned
from sidecar.accuracy.states import concord
from sidecar.accuracy.support import support
from sidecar.domain.ranking import State
from sidecar.domain.tensors import Array, Floats
from sidecar.ranking.objectives import ACCURACY

FALLOFFS: Final = (0.0, 1.0, 2.0)
# Of the good rankings elsewhere that nothing else speaks against, at most this share is doubted.
_PRICE: Final = 0.05
# Corrects nothing and errs not: what is estimated with it is the consensus itself.
_NONE: Final = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0, validated=0)
# With fewer others, what the release ships stands for them.
_MIN_WORKLOADS: Final = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The consensus on one target beside the truth; C candidates, B draws.

    Attributes:
        judged: consensus and true accuracies.
        quality: what makes a candidate good [C].
        draws: the consensus, redrawn [B, C].
        alike: a number for each candidate [C]; those with the same one vote alike.
        concord: of the order with the one of equal votes.
        doubted: whether the ranking is not OK whatever is learned.
    """

    judged: Judged
    quality: Floats
    draws: Floats
    alike: Array
    concord: float
    doubted: bool

    def score(self, errors: ErrorModel) -> Score:
        """How good the order is with this error model."""
        return score(errors.corrected(self.judged.consensus).tolist(), self.quality, self.judged.truth)

    def promises(self, errors: ErrorModel) -> float:
        """The rank correlation that `order_doubt` compares, before validation data count."""
        values = errors.corrected(self.judged.consensus)
        draws = errors.drawn(self.draws, self.alike, np.random.default_rng(0))
        return min(AccuracyEstimate(self.judged.consensus, values, draws, values).resolution(), self.concord)


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
    ranking = case.rank(Learned(falloff, _NONE, resolved=-1.0))
    estimates = {one.name: one.accuracy for one in ranking.candidates}
    values = [one.value for name in case.names if (one := estimates[name]) is not None]
    if ranking.state is State.NEAR_CHANCE or len(values) < len(case.names) or ranking.prospects is None:
        return None
    consensus, votes = np.array(values), case.evidence.votes
    return Window(
        judged=Judged(case.workload, consensus, accuracies(votes, case.truth)),
        quality=qualities(case.quality, votes, case.truth),
        draws=np.stack([ranking.prospects.draws[name][ACCURACY] for name in case.names], axis=1),
        alike=np.unique(votes, axis=0, return_inverse=True)[1].ravel(),
        concord=concord(case.evidence, support(case.evidence), consensus),
        doubted=ranking.state is not State.OK,
    )


def _learned(targets: Sequence[Windows]) -> Learned:
    """Takes the falloff that loses least, then doubts what promises least."""
    fits = {falloff: fit_error_model([one[falloff].judged for one in targets]) for falloff in FALLOFFS}
    falloff = min(fits, key=lambda one: _loss([target[one] for target in targets], fits[one]))
    errors = fits[falloff]
    trusted = [target[falloff] for target in targets if not target[falloff].doubted]
    good = [one.promises(errors) for one in trusted if (one.score(errors).spearman or 0.0) >= BAD]
    return Learned(falloff, errors, float(np.quantile(good, _PRICE, method="lower")))


def _loss(found: Sequence[Window], errors: ErrorModel) -> float:
    """Regret plus mean error of the estimated accuracy, each workload with the same weight."""
    means = []
    for _, some in groupby(found, key=lambda one: one.judged.group):
        scores = [one.score(errors) for one in some]
        means.append(np.mean([one.regret + (one.mae or 0.0) for one in scores]))
    return float(np.mean(means))
