"""Puts an endpoint's candidates in order: best estimated accuracy first, ties sharing a rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sidecar.accuracy.error_model import FITTED, ErrorModel
from sidecar.accuracy.estimate import AccuracyEstimate, Correctness, correctness, estimate_accuracy
from sidecar.accuracy.segments import agreement_segments
from sidecar.accuracy.states import candidate_doubt, obstacle, pool_doubt, too_few
from sidecar.accuracy.support import Support, support
from sidecar.domain.evidence import Evidence, SegmentEvidence
from sidecar.domain.ranking import CandidateRank, FeatureShift, MeasureValue, Ranking, Segment, State
from sidecar.domain.tensors import Floats
from sidecar.measures.adaptivity import shifted_features
from sidecar.measures.likeness import duplicate_weights
from sidecar.measures.table import DEFAULT, measure_all
from sidecar.ranking.by_support import support_ranks, support_state, support_states

# An order that is expected to correlate less than this with the truth may well say nothing.
RESOLVED = 0.5
# Items that were grouped by who agrees on them flatter those who agree there: on 11 pools 90 % intervals
# held 68 % of the truth, with errors three times as large 93 %.
_FOUND_WIDENING = 3.0


@dataclass(frozen=True, slots=True)
class RankSettings:
    """How a ranking is made.

    Attributes:
        min_items: fewer answered items say INSUFFICIENT_DATA.
        level: nominal coverage of accuracy intervals, and how sure a difference parts two ranks.
        draws: of the bootstrap, at least.
        measures: names of those to show.
        error_model: what consensus gets wrong.
        find_segments: whether to look for kinds of traffic where nothing is known of the inputs.
    """

    min_items: int = 50
    level: float = 0.9
    draws: int = 400
    measures: tuple[str, ...] = DEFAULT
    error_model: ErrorModel = FITTED
    find_segments: bool = True


@dataclass(frozen=True, slots=True)
class _Known:
    """What a candidate has whether or not its accuracy can be estimated."""

    name: str
    measures: tuple[MeasureValue, ...]
    shifted: tuple[FeatureShift, ...]

    def unranked(self, state: State, reason: str) -> CandidateRank:
        return CandidateRank(self.name, 0, state, reason, None, None, self.measures, self.shifted)


@dataclass(frozen=True, slots=True)
class _View:
    """The window, or one segment of it."""

    evidence: Evidence
    support: Support

    def judged(self, weights: Floats, rng: np.random.Generator, draws: int) -> Correctness:
        return correctness(self.evidence, self.support, weights, rng, draws)

    def ranked(
        self,
        names: Sequence[str],
        parts: Sequence[Correctness],
        rng: np.random.Generator,
        settings: RankSettings,
    ) -> Ranking:
        """Ranks all candidates by the parts that this was judged in."""
        evidence = self.evidence
        known = [
            _Known(name, values, shifted_features(profile, target, limits))
            for name, values, profile, target, limits in zip(
                names,
                measure_all(evidence, settings.measures),
                evidence.profiles,
                evidence.targets,
                evidence.thresholds,
                strict=True,
            )
        ]
        items = evidence.probabilities.shape[1]
        few = too_few(items, settings.min_items)
        if few is None and not evidence.labels:
            return Ranking(items, *support_state(self.support), tuple(_by_support(known, self.support)))
        hindered = few or obstacle(evidence)
        if hindered is not None:
            return Ranking(items, *hindered, tuple(_without_estimate(known, *hindered)))
        estimate = estimate_accuracy(parts, evidence.votes, self.support, settings.error_model, rng)
        ranks = _ranks(estimate, settings.level)
        ranked = _with_estimate(known, estimate, ranks, self.support.coverage, settings.level)
        doubt = pool_doubt(evidence, self.support, estimate.consensus)
        if doubt is None and ranked[0].state not in (State.OK, State.TIED):
            doubt = ranked[0].state, f"{ranked[0].name} leads, but {ranked[0].reason}"
        if doubt is None and (resolution := estimate.resolution()) < RESOLVED:
            doubt = (
                State.TIED,
                f"estimates err more than they differ: expected correlation {resolution:.2f} < {RESOLVED}",
            )
        return Ranking(items, *(doubt or (State.OK, _leaders(ranks, names))), tuple(ranked))


def _viewed(evidence: Evidence) -> _View:
    return _View(evidence, support(evidence))


def rank(
    names: Sequence[str],
    evidence: Evidence,
    *,
    unavailable: Mapping[str, str],
    rng: np.random.Generator,
    settings: RankSettings,
    segments: Sequence[SegmentEvidence] = (),
) -> Ranking:
    """Ranks the candidates that answered; the order in which they are given changes nothing.

    A candidate shares the rank of the best of the group above it unless that one is better in
    `settings.level` of the draws. Where nothing is known of the inputs, segments are found by the
    candidates' answers; the whole is weighed from its segments. Candidates that give no classes are
    ordered by their support alone, see `sidecar.ranking.by_support`.

    Args:
        names: of the evidence's candidates, C different ones.
        evidence: one round's; C may be 0.
        unavailable: why the other candidates gave no answers, by name.
        rng: for the draws.
        settings: how.
        segments: known kinds of traffic; an item belongs to one of them at most.

    Returns:
        an immutable snapshot; unavailable candidates come last, by name.
    """
    order = sorted(range(len(names)), key=lambda index: names[index])
    names = [names[index] for index in order]
    evidence = evidence.of(order)
    absent = tuple(
        CandidateRank(name, 0, State.UNAVAILABLE, unavailable[name], None, None)
        for name in sorted(unavailable)
    )
    items = evidence.probabilities.shape[1]
    if not names:
        return Ranking(items, State.UNAVAILABLE, "no candidate gives answers", absent)
    if segments:
        parts = [replace(one, targets=tuple(one.targets[index] for index in order)) for one in segments]
    else:
        parts = _found(evidence, settings, rng)
    whole = _viewed(evidence)
    views = [_viewed(evidence.where(part.items, part.targets)) for part in parts]
    judged, left = _judged(whole, views, parts, rng, settings)
    all_parts = [one for found in [*judged, left] for one in found]
    ranking = whole.ranked(names, all_parts, rng, settings)
    model = settings.error_model if segments else settings.error_model.widened(_FOUND_WIDENING)
    own = replace(settings, error_model=model)
    shown = [
        Segment(
            part.name,
            part.rule,
            float(part.items.mean()),
            view.ranked(names, found, rng, own),
            part.items,
        )
        for part, view, found in zip(parts, views, judged, strict=True)
    ]
    shown.sort(key=lambda segment: -segment.share)
    return replace(ranking, candidates=ranking.candidates + absent, segments=tuple(shown))


def _judged(
    whole: _View,
    views: Sequence[_View],
    parts: Sequence[SegmentEvidence],
    rng: np.random.Generator,
    settings: RankSettings,
) -> tuple[list[list[Correctness]], list[Correctness]]:
    """Judges the candidates on each segment with enough items, and on what is left of the window.

    Returns:
        a list for each segment and one for what is left, each of one judgement or none.
    """
    evidence = whole.evidence
    rest = np.ones(evidence.probabilities.shape[1], dtype=bool)
    if not evidence.labels or not len(rest):
        return [[] for _ in views], []
    weights = duplicate_weights(evidence.probabilities, evidence.votes)
    judged: list[list[Correctness]] = []
    for part, view in zip(parts, views, strict=True):
        enough = part.items.sum() >= settings.min_items
        judged.append([view.judged(weights, rng, settings.draws)] if enough else [])
        rest &= ~part.items if enough else True
    if not rest.any():
        return judged, []
    left = whole if rest.all() else _viewed(evidence.where(rest, evidence.targets))
    return judged, [left.judged(weights, rng, settings.draws)]


def _found(evidence: Evidence, settings: RankSettings, rng: np.random.Generator) -> list[SegmentEvidence]:
    """Segments by the candidates' answers, where nothing is known of the inputs."""
    blind = evidence.labels and all(target is None for target in evidence.targets)
    if not settings.find_segments or not blind:
        return []
    groups = agreement_segments(evidence.votes, len(evidence.labels), settings.min_items, rng)
    if groups is None:
        return []
    rule = "answers: which candidates agree with the others on an item"
    return [
        SegmentEvidence(f"answers-{number + 1}", rule, groups == number, evidence.targets)
        for number in range(int(groups.max()) + 1)
    ]


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


def _leaders(ranks: Mapping[int, int], names: Sequence[str]) -> str:
    """Who shares the first rank, in words; empty where nobody does."""
    leaders = [names[index] for index, place in ranks.items() if place == 1]
    return f"cannot be told apart on this traffic: {', '.join(leaders)}" if len(leaders) > 1 else ""


def _by_support(known: Sequence[_Known], support: Support) -> list[CandidateRank]:
    """Candidates that give no classes, best first, those without a rank last."""
    ranks = support_ranks(support)
    states = support_states(support, ranks)
    order = np.argsort(np.where(ranks > 0, ranks, len(ranks) + 1), kind="stable").tolist()
    return [replace(known[index].unranked(*states[index]), rank=int(ranks[index])) for index in order]


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
    coverage: Sequence[float | None],
    level: float,
) -> list[CandidateRank]:
    p_best = estimate.p_best()
    shared = _leaders(ranks, [one.name for one in known])
    answers = []
    for index, place in ranks.items():
        one = known[index]
        otherwise = (State.TIED, shared) if place == 1 and shared else (State.OK, "")
        state, reason = candidate_doubt(coverage[index], float(estimate.kappa[index])) or otherwise
        accuracy = estimate.interval(index, level)
        answers.append(
            CandidateRank(
                one.name, place, state, reason, accuracy, float(p_best[index]), one.measures, one.shifted
            )
        )
    return answers
