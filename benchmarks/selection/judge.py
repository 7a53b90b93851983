"""Judges the default ranking and every measure on one target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.selection.case import Case
from benchmarks.selection.score import Score, accuracies, qualities, score
from benchmarks.selection.segments import mixed
from sidecar.core.ranking import Estimate, State
from sidecar.estimation.accuracy.learned import Learned
from sidecar.estimation.measures.table import MEASURES, measure_all

SURE: Final = frozenset({State.OK})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target.

    Attributes:
        names: of the candidates that were compared.
        unavailable: why the others were not, by name.
        default: of the ranking by estimated accuracy.
        measures: by name.
        unknown: the measures that have no value for any candidate, so that a draw stands for them.
        state: the ranking's.
        pick: the first candidate.
        best: the truly best one.
        covered: how many of the intervals hold the true accuracy.
        intervals: how many there are.
        width: sum of their widths.
        segments: regret on mixed traffic by the way of ranking it; empty where its kinds are unknown.
    """

    workload: str
    target: str
    names: tuple[str, ...]
    unavailable: dict[str, str]
    state: State
    pick: str
    best: str
    default: Score
    measures: dict[str, Score]
    unknown: frozenset[str]
    covered: int
    intervals: int
    width: float
    segments: dict[str, float]


def judge(case: Case, learned: Learned) -> Verdict:
    """Ranks a target's candidates and compares with the truth."""
    votes = case.evidence.votes
    accuracy = accuracies(votes, case.truth)
    quality = qualities(case.quality, votes, case.truth)
    ranking = case.rank(learned)
    by_name = {one.name: one for one in ranking.candidates}
    estimates = [by_name[name].accuracy for name in case.names]
    pairs = [(one, true) for one, true in zip(estimates, accuracy.tolist(), strict=True) if one is not None]
    measured = measure_all(case.evidence, [measure.name for measure in MEASURES])
    scores, unknown = {}, set()
    for place, measure in enumerate(MEASURES):
        found = [_value(of_candidate[place].estimate) for of_candidate in measured]
        if all(value is None for value in found):
            unknown.add(measure.name)
        scores[measure.name] = score(
            found, quality, accuracy if measure.estimates_accuracy else None, direction=measure.direction
        )
    return Verdict(
        workload=case.workload,
        target=case.target,
        names=case.names,
        unavailable=dict(case.unavailable),
        state=ranking.state,
        pick=ranking.candidates[0].name,
        best=case.names[int(quality.argmax())],
        default=score([_value(one) for one in estimates], quality, accuracy),
        measures=scores,
        unknown=frozenset(unknown),
        covered=sum(one.low <= true <= one.high for one, true in pairs),
        intervals=len(pairs),
        width=sum(one.high - one.low for one, _ in pairs),
        segments=mixed(case, ranking, learned),
    )


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value
