"""What is kept of a target for learning and judging: signals, single measures, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.selection.case import Case
from benchmarks.selection.score import Score, accuracies, qualities, score
from benchmarks.selection.segments import mixed
from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate, State
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.learned import Signals
from sidecar.estimation.accuracy.states import obstacle, pool_doubt, too_few
from sidecar.estimation.measures.interval import mean_estimate
from sidecar.estimation.measures.table import MEASURES, measure_all
from sidecar.estimation.ranking.judging import judge
from sidecar.estimation.ranking.order import RankSettings

# Beside the measures of the product: the plainest consensus of probabilities.
MEAN_PROBABILITY: Final = "mean_probability"
_ESTIMATES: Final = {measure.name for measure in MEASURES if measure.estimates_accuracy} | {MEAN_PROBABILITY}
NAMES: Final = (*(measure.name for measure in MEASURES), MEAN_PROBABILITY)
_SETTINGS: Final = RankSettings()


@dataclass(frozen=True, slots=True)
class Window:
    """One target; C candidates.

    Attributes:
        kind: of ranking, a row of the table.
        source: the file; windows of one file are never learned from and judged together.
        control: the ranking has to say that it does not know.
        signals: what the ranking is made from; None where it says at once why there is none.
        doubt: why the ranking deserves no trust, before anything that was learned.
        accuracy: true accuracies [C].
        quality: what makes a candidate good [C].
        measures: each single measure's order, by name; None where it has no value.
        segments: regret on mixed traffic by the way of ranking it; empty where its kinds are unknown.
    """

    workload: str
    kind: str
    source: str
    target: str
    seed: int
    names: tuple[str, ...]
    unavailable: dict[str, str]
    control: bool
    signals: Signals | None
    doubt: tuple[State, str] | None
    accuracy: Floats
    quality: Floats
    measures: dict[str, Score | None]
    segments: dict[str, float]


def window(case: Case, kind: str, *, control: bool, seed: int) -> Window:
    """Asks the product for the signals of a target, and every measure for its order."""
    evidence = case.evidence
    votes = evidence.votes
    accuracy = accuracies(votes, case.truth)
    quality = qualities(case.quality, votes, case.truth)
    hindered = too_few(votes.shape[1], _SETTINGS.min_items) or obstacle(evidence)
    signals, doubt = None, hindered
    if hindered is None:
        judged = judge(
            evidence,
            [],
            min_items=_SETTINGS.min_items,
            find_segments=_SETTINGS.find_segments,
            rng=np.random.default_rng(0),
        )
        signals, doubt = judged.signals(), pool_doubt(evidence, judged.whole.support)
    return Window(
        workload=case.workload,
        kind=kind,
        source=case.source,
        target=case.target,
        seed=seed,
        names=case.names,
        unavailable=dict(case.unavailable),
        control=control,
        signals=signals,
        doubt=doubt,
        accuracy=accuracy,
        quality=quality,
        measures=_measures(evidence, quality, accuracy),
        segments=mixed(case),
    )


def _measures(evidence: Evidence, quality: Floats, accuracy: Floats) -> dict[str, Score | None]:
    names = [measure.name for measure in MEASURES]
    found = dict(zip(names, zip(*measure_all(evidence, names), strict=True), strict=True))
    values: dict[str, list[float | None]] = {
        name: [None if one.estimate is None else one.estimate.value for one in column]
        for name, column in found.items()
    }
    values[MEAN_PROBABILITY] = [one.value for one in _mean_probability(evidence)]
    directions = {measure.name: measure.direction for measure in MEASURES} | {MEAN_PROBABILITY: 1}
    return {
        name: None
        if all(value is None for value in of)
        else score(of, quality, accuracy if name in _ESTIMATES else None, direction=directions[name])
        for name, of in values.items()
    }


def _mean_probability(evidence: Evidence) -> tuple[Estimate, ...]:
    """What the mean of all candidates' probabilities says of each candidate's answers."""
    votes = evidence.votes
    mean = sum(shares for shares in evidence.probabilities) / len(votes)
    items = np.arange(votes.shape[1])
    return tuple(mean_estimate(mean[items, one], (0, 1)) for one in votes)
