"""Judges the default ranking of a window against the truth, with what was learned on other sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.selection.learning import TOLERANCE
from benchmarks.selection.score import Score, score
from benchmarks.selection.window import Window
from sidecar.core.ranking import State
from sidecar.estimation.accuracy.errors import draw
from sidecar.estimation.accuracy.estimate import AccuracyEstimate
from sidecar.estimation.accuracy.learned import Learned
from sidecar.estimation.accuracy.states import promise_doubt
from sidecar.estimation.measures.interval import LEVEL
from sidecar.estimation.ranking.order import RankSettings

_DRAWS = RankSettings().draws


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target.

    Attributes:
        window: what was judged.
        default: of the ranking by estimated accuracy.
        state: the ranking's.
        pick: the first candidate.
        best: the truly best one.
        lost: accuracy that the first candidate loses to the best one.
        among_three: whether at most two candidates are better than the first.
        covered: share of the intervals that hold the true accuracy; None without intervals.
        width: median width of the intervals.
    """

    window: Window
    default: Score
    state: State
    pick: str
    best: str
    lost: float
    among_three: bool
    covered: float | None
    width: float | None

    @property
    def ok(self) -> bool:
        """Whether the ranking promises that its first candidate loses little."""
        return self.state is State.OK

    @property
    def kept(self) -> bool:
        """Whether the first candidate loses as little as OK promises."""
        return self.lost <= TOLERANCE


def judge(window: Window, learned: Learned) -> Verdict:
    """Estimates, ranks and compares with the truth."""
    names, accuracy, quality = window.names, window.accuracy, window.quality
    best = names[int(quality.argmax())]
    if window.signals is None:
        state = State.INSUFFICIENT_DATA if window.doubt is None else window.doubt[0]
        nothing = score([None] * len(names), quality, accuracy)
        lost = float(accuracy.max() - accuracy.mean())
        return Verdict(window, nothing, state, names[0], best, lost, False, None, None)  # noqa: FBT003
    value, draws = draw(window.signals, learned, np.random.default_rng(0), _DRAWS)
    estimate = AccuracyEstimate(value, draws, value)
    doubt = window.doubt or promise_doubt(estimate, TOLERANCE, learned.sure)
    first = int(value.argmax())
    intervals = [estimate.interval(place, LEVEL) for place in range(len(names))]
    held = [one.low <= true <= one.high for one, true in zip(intervals, accuracy.tolist(), strict=True)]
    return Verdict(
        window=window,
        default=score(value.tolist(), quality, accuracy),
        state=State.OK if doubt is None else doubt[0],
        pick=names[first],
        best=best,
        lost=float(accuracy.max() - accuracy[first]),
        among_three=bool((accuracy > accuracy[first]).sum() < 3),
        covered=float(np.mean(held)),
        width=float(np.median([one.high - one.low for one in intervals])),
    )
