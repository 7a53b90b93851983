"""Judges an endpoint's candidates on a window, each of its segments too, and puts them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sidecar.core.evidence import Evidence, SegmentEvidence
from sidecar.core.preference.objectives import ACCURACY
from sidecar.core.preference.preference import BY_ACCURACY, Preference
from sidecar.core.ranking import (
    CandidateRank,
    Estimate,
    FeatureShift,
    Known,
    MeasureValue,
    Prospects,
    Ranking,
    Segment,
    State,
)
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.estimate import Correctness, estimate_accuracy
from sidecar.estimation.accuracy.learned import Learned
from sidecar.estimation.accuracy.release import RELEASE
from sidecar.estimation.accuracy.states import (
    candidate_doubt,
    obstacle,
    pool_doubt,
    promise_doubt,
    too_few,
    validated,
)
from sidecar.estimation.accuracy.support import Support
from sidecar.estimation.measures.adaptivity import shifted_columns
from sidecar.estimation.measures.table import measure_all
from sidecar.estimation.ranking.by_support import support_ranks, support_state, support_states
from sidecar.estimation.ranking.decision import decide, estimate_draws
from sidecar.estimation.ranking.judging import View, judge

# Items that were grouped by who agrees on them flatter those who agree there: on 11 pools 90 % intervals
# held 68 % of the truth, with errors three times as large 93 %.
_FOUND_WIDENING = 3.0
# Candidates that answer alike differ by rounding; efficiency is a ratio, so no accuracy is 0.
_DIGITS = 12
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class RankSettings:
    """How a ranking is made.

    Attributes:
        min_items: fewer answered items say INSUFFICIENT_DATA.
        preference: what puts the candidates in order.
        draws: number of draws of the accuracies; even.
        measures: names of those to show, whatever they cost; None: the default ones that a round can afford.
        learned: what other sources taught.
        tolerance: what the first candidate of a ranking that says OK may lose to the best one, in accuracy.
        find_segments: whether to look for kinds of traffic where nothing is known of the inputs.
        alive: called between one piece of work and the next, so that whoever waits knows that work goes on.
    """

    min_items: int = 50
    preference: Preference = BY_ACCURACY
    draws: int = 400
    measures: tuple[str, ...] | None = None
    learned: Learned = RELEASE
    tolerance: float = 0.05
    find_segments: bool = True
    alive: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class _Costs:
    """What is known of the candidates beside accuracy; draws of it by candidate and objective [B]."""

    known: Mapping[str, Known]
    draws: Mapping[str, Mapping[str, Floats]]

    @classmethod
    def drawn(cls, known: Mapping[str, Known], draws: int, rng: np.random.Generator) -> _Costs:
        return cls(
            known,
            {
                name: {one: estimate_draws(value, draws, rng) for one, value in of.objectives.items()}
                for name, of in sorted(known.items())
            },
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a candidate has whether or not its accuracy can be estimated."""

    name: str
    measures: tuple[MeasureValue, ...]
    shifted: tuple[FeatureShift, ...]

    def unranked(self, state: State, reason: str) -> CandidateRank:
        return CandidateRank(self.name, 0, state, reason, None, self.measures, self.shifted)

    def estimated(self, accuracy: Estimate, costs: _Costs) -> CandidateRank:
        known = costs.known.get(self.name, Known())
        objectives = {ACCURACY: accuracy, **known.objectives}
        return replace(self.unranked(State.OK, ""), accuracy=accuracy, objectives=objectives)


def rank(
    names: Sequence[str],
    evidence: Evidence,
    *,
    unavailable: Mapping[str, str],
    rng: np.random.Generator,
    settings: RankSettings,
    segments: Sequence[SegmentEvidence] = (),
    costs: Mapping[str, Known] = MappingProxyType({}),
) -> Ranking:
    """Ranks the candidates that answered; the order in which they are given changes nothing.

    What puts them in order is `settings.preference`, see `sidecar.estimation.ranking.decision`. Where
    nothing is known of the inputs, segments are found by the candidates' answers; the whole is weighed from
    its segments. Candidates that give no classes are ordered by their support alone, see
    `sidecar.estimation.ranking.by_support`.

    Args:
        names: names of the evidence's C candidates, all different.
        evidence: one round's; C may be 0.
        unavailable: why the other candidates gave no answers, by name.
        rng: for the draws.
        settings: how.
        segments: known kinds of traffic; an item belongs to one of them at most.
        costs: what is known of each candidate beside its accuracy, by name.

    Returns:
        an immutable snapshot; unavailable candidates come last, by name.
    """
    order = sorted(range(len(names)), key=lambda index: names[index])
    names = [names[index] for index in order]
    evidence = evidence.of(order)
    absent = tuple(
        CandidateRank(name, 0, State.UNAVAILABLE, unavailable[name], None) for name in sorted(unavailable)
    )
    items = evidence.probabilities.shape[1]
    if not names:
        return Ranking(items, State.UNAVAILABLE, "no candidate gives answers", absent)
    parts = [replace(one, targets=tuple(one.targets[index] for index in order)) for one in segments]
    judged = judge(
        evidence,
        parts,
        min_items=settings.min_items,
        find_segments=settings.find_segments,
        rng=rng,
        alive=settings.alive,
    )
    drawn = _Costs.drawn(costs, settings.draws, rng)
    ranking = _ranked(judged.whole, names, judged.all, drawn, rng, settings)
    own = settings
    if not segments:
        own = replace(settings, learned=settings.learned.widened(_FOUND_WIDENING))
    shown = [
        Segment(
            part.name,
            part.rule,
            float(part.items.mean()),
            _ranked(view, names, found, drawn, rng, own),
            part.items,
        )
        for part, view, found in zip(judged.parts, judged.views, judged.found, strict=True)
    ]
    shown.sort(key=lambda segment: -segment.share)
    return replace(
        ranking,
        candidates=ranking.candidates + absent,
        segments=tuple(shown),
        right=dict(zip(names, judged.right(), strict=True)) if ranking.prospects else {},
    )


def _ranked(
    view: View,
    names: Sequence[str],
    parts: Sequence[Correctness],
    costs: _Costs,
    rng: np.random.Generator,
    settings: RankSettings,
) -> Ranking:
    """Ranks all candidates of the window, or of a segment of it, by the parts that it was judged in."""
    evidence = view.evidence
    known = [
        _Known(name, values, shifted_columns(profile, target, limits))
        for name, values, profile, target, limits in zip(
            names,
            measure_all(evidence, settings.measures, settings.alive),
            evidence.profiles,
            evidence.targets,
            evidence.thresholds,
            strict=True,
        )
    ]
    items = evidence.probabilities.shape[1]
    few = too_few(items, settings.min_items)
    if few is None and not evidence.labels:
        return Ranking(items, *support_state(view.support), tuple(_by_support(known, view.support)))
    hindered = few or obstacle(evidence)
    if hindered is not None:
        return Ranking(items, *hindered, tuple(_without_estimate(known, *hindered)))
    learned = settings.learned
    estimate = estimate_accuracy(parts, evidence, view.support, learned, rng, settings.draws)
    doubt = pool_doubt(evidence, view.support) or promise_doubt(estimate, settings.tolerance, learned.sure)
    fitting = validated(evidence, view.support)
    level = settings.preference.level
    estimated = []
    doubts = {}
    for index, one in enumerate(known):
        estimated.append(one.estimated(estimate.interval(index, level), costs))
        own = candidate_doubt(
            view.support.inside[index], float(estimate.kappa[index]), validated=bool(fitting[index])
        )
        if own is not None:
            doubts[one.name] = own
    accuracies = np.maximum(estimate.draws, _LEAST).round(_DIGITS)
    draws = {
        name: {ACCURACY: accuracies[:, index], **costs.draws.get(name, {})}
        for index, name in enumerate(names)
    }
    reasons = {name: one.reason for name, one in costs.known.items() if one.reason}
    prospects = Prospects(draws, doubt, reasons, doubts)
    return decide(Ranking(items, State.OK, "", tuple(estimated), prospects=prospects), settings.preference)


def _by_support(known: Sequence[_Known], support: Support) -> list[CandidateRank]:
    """Candidates that give no classes, best first, those without a rank last."""
    ranks = support_ranks(support)
    states = support_states(support, ranks)
    order = np.argsort(np.where(ranks > 0, ranks, len(ranks) + 1), kind="stable").tolist()
    return [replace(known[index].unranked(*states[index]), rank=int(ranks[index])) for index in order]


def _without_estimate(known: Sequence[_Known], state: State, reason: str) -> list[CandidateRank]:
    rank = 1 if state is State.TIED else 0
    return [replace(one.unranked(state, reason), rank=rank) for one in known]
