"""Puts an endpoint's candidates in order: best estimated accuracy first, ties sharing a rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.accuracy.estimate import AccuracyEstimate, estimate_accuracy
from sidecar.accuracy.states import candidate_doubt, lone_support, obstacle, pool_doubt
from sidecar.accuracy.support import support_of
from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import CandidateRank, FeatureShift, MeasureValue, Ranking, State
from sidecar.measures.adaptivity import shifted_features
from sidecar.measures.table import measure_all


@dataclass(frozen=True, slots=True)
class RankSettings:
    """How a ranking is made.

    Attributes:
        min_items: fewer answered items say INSUFFICIENT_DATA.
        level: nominal coverage of accuracy intervals and of the differences that part two ranks.
        draws: of the bootstrap, at least.
    """

    min_items: int = 50
    level: float = 0.9
    draws: int = 400


@dataclass(frozen=True, slots=True)
class _Known:
    """What a candidate has whether or not its accuracy can be estimated."""

    name: str
    measures: tuple[MeasureValue, ...]
    shifted: tuple[FeatureShift, ...]

    def unranked(self, state: State, reason: str) -> CandidateRank:
        return CandidateRank(self.name, 0, state, reason, None, None, self.measures, self.shifted)


def rank(
    names: Sequence[str],
    evidence: Evidence,
    *,
    unavailable: Mapping[str, str],
    rng: np.random.Generator,
    settings: RankSettings,
) -> Ranking:
    """Ranks the candidates that answered; the order in which they are given changes nothing.

    A candidate shares the rank of the best of the group above it unless the paired difference to
    that one is above 0 at `settings.level`.

    Args:
        names: of the evidence's candidates, C different ones.
        evidence: one round's; C may be 0.
        unavailable: why the other candidates gave no answers, by name.
        rng: for the bootstrap.
        settings: how.

    Returns:
        an immutable snapshot; unavailable candidates come last, by name.
    """
    order = sorted(range(len(names)), key=lambda index: names[index])
    evidence = _reordered(evidence, order)
    measures = measure_all(evidence)
    known = [
        _Known(names[index], values, shifted_features(profile, target, limits))
        for index, values, profile, target, limits in zip(
            order, measures, evidence.profiles, evidence.targets, evidence.thresholds, strict=True
        )
    ]
    absent = tuple(
        CandidateRank(name, 0, State.UNAVAILABLE, unavailable[name], None, None)
        for name in sorted(unavailable)
    )
    items = evidence.probabilities.shape[1]
    if not known:
        return Ranking(items, State.UNAVAILABLE, "no candidate gives answers", absent)
    hindered = obstacle(evidence, settings.min_items)
    if hindered is not None:
        return Ranking(items, *hindered, tuple(_without_estimate(known, *hindered)) + absent)
    support = [support_of(values) for values in measures]
    estimate = estimate_accuracy(evidence, support, rng, settings.draws)
    ranks = _ranks(estimate, settings.level)
    ranked = _with_estimate(known, estimate, ranks, support, settings.level)
    state, reason = pool_doubt(evidence, support) or _tie(ranks, [one.name for one in known])
    if state is State.OK and ranked[0].state is not State.OK:
        state, reason = ranked[0].state, f"{ranked[0].name} leads, but {ranked[0].reason}"
    elif state is State.OK:
        reason = lone_support([one.name for one in known], support)
    return Ranking(items, state, reason, tuple(ranked) + absent)


def _reordered(evidence: Evidence, order: Sequence[int]) -> Evidence:
    return Evidence(
        profiles=tuple(evidence.profiles[index] for index in order),
        targets=tuple(evidence.targets[index] for index in order),
        thresholds=tuple(evidence.thresholds[index] for index in order),
        labels=evidence.labels,
        probabilities=evidence.probabilities[list(order)],
    )


def _ranks(estimate: AccuracyEstimate, level: float) -> dict[int, int]:
    """Ranks by candidate, best first; equal values keep the candidates' order."""
    ranks: dict[int, int] = {}
    head = -1
    for place, index in enumerate(np.argsort(-estimate.value, kind="stable").tolist()):
        if head < 0 or estimate.better(head, index, level):
            head, ranks[index] = index, place + 1
        else:
            ranks[index] = ranks[head]
    return ranks


def _tie(ranks: Mapping[int, int], names: Sequence[str]) -> tuple[State, str]:
    leaders = [names[index] for index, place in ranks.items() if place == 1]
    if len(leaders) == 1:
        return State.OK, ""
    return State.TIED, f"cannot be told apart on this traffic: {', '.join(leaders)}"


def _without_estimate(known: Sequence[_Known], state: State, reason: str) -> list[CandidateRank]:
    if state is not State.TIED:
        return [one.unranked(state, reason) for one in known]
    share = 1 / len(known)
    return [
        CandidateRank(one.name, 1, state, reason, None, share, one.measures, one.shifted) for one in known
    ]


def _with_estimate(
    known: Sequence[_Known],
    estimate: AccuracyEstimate,
    ranks: Mapping[int, int],
    support: Sequence[float | None],
    level: float,
) -> list[CandidateRank]:
    p_best = estimate.p_best()
    tie = _tie(ranks, [one.name for one in known])
    answers = []
    for index, place in ranks.items():
        one = known[index]
        otherwise = tie if place == 1 else (State.OK, "")
        state, reason = candidate_doubt(support[index], float(estimate.kappa[index])) or otherwise
        accuracy = estimate.interval(index, level)
        answers.append(
            CandidateRank(
                one.name, place, state, reason, accuracy, float(p_best[index]), one.measures, one.shifted
            )
        )
    return answers
