"""From the candidates' answers to estimated accuracy, with draws that say how sure it is.

The consensus of the votes and the pooled probabilities stand for the labels that nobody has. Like every
label-free estimate, this one has no guarantee without assumptions on the shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.errors import draw
from sidecar.estimation.accuracy.learned import Learned, Signals
from sidecar.estimation.accuracy.nearness import nearness
from sidecar.estimation.accuracy.pooling import leaning, pool
from sidecar.estimation.accuracy.support import Support
from sidecar.estimation.measures.consensus import dawid_skene, one_coin
from sidecar.estimation.measures.likeness import beyond_chance, pool_beyond_chance
from sidecar.estimation.measures.prior import confusion_prior, validated_confusion

# A candidate that was validated on such traffic brings its validation confusion with as much weight as this
# share of the part's items has: a majority of strangers must not outvote it.
_VALIDATION_SHARE: Final = 0.5
# A vote counts by the candidate's validated skill where the traffic fits, but never nothing.
_LEAST_SKILL: Final = 0.05
# What a vote from elsewhere counts where another candidate's source is the traffic's own.
_STRANGER: Final = 0.1
# Beyond so many classes a confusion matrix has more cells than a window has items.
_MOST_CONFUSED: Final = 64
# Keeps every class possible in the first guess.
_FIRST_ROOM: Final = 1e-3
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Correctness:
    """How often each candidate is right under the consensus of one part of the window; C candidates.

    Attributes:
        items: in the part.
        value: expected share of right answers under the consensus [C].
        pooled: the same under the pooled probabilities [C].
        agreement: weighted share of the others that answer alike [C].
        promised: accuracy that calibrated confidence promises; NaN without a validation [C].
        together: expected share of items that two candidates are both right about [C, C].
        chance: the share that blind answers of the same class shares would get right [C].
        right: expected correctness of each answer [C, items].
    """

    items: int
    value: Floats
    pooled: Floats
    agreement: Floats
    promised: Floats
    together: Floats
    chance: Floats
    right: Floats


@dataclass(frozen=True, slots=True)
class AccuracyEstimate:
    """Estimated accuracies of all candidates together; C candidates, B draws.

    Attributes:
        value: estimated accuracy [C].
        draws: accuracy, redrawn; joint over candidates [B, C].
        kappa: each candidate's agreement with the consensus beyond chance [C].
    """

    value: Floats
    draws: Floats
    kappa: Floats

    def interval(self, candidate: int, level: float) -> Estimate:
        """Takes a candidate's value with the middle `level` of its draws."""
        value = float(self.value[candidate])
        low, high = np.quantile(self.draws[:, candidate], [(1 - level) / 2, (1 + level) / 2])
        return Estimate(value, min(float(low), value), max(float(high), value), level)


def vote_weights(evidence: Evidence, support: Support, shared: Floats) -> Floats:
    """What each candidate's vote counts: by nearness of its source, by validated skill where traffic fits.

    Args:
        evidence: evidence of at least one candidate.
        support: what the inputs say of each.
        shared: a candidate's share in the vote that it has together with its near-duplicates [C].

    Returns:
        above 0 [C].
    """
    skills = np.array([_skill(validated_confusion(one, evidence.labels)) for one in evidence.profiles])
    near = nearness(support.distances)
    fit = np.where(np.isfinite(skills), support.fit, 0.0)
    skilled = np.clip(np.nan_to_num(skills), _LEAST_SKILL, 1)
    # Where the traffic is a source's own, candidates from elsewhere must not outvote those that know it.
    stranger = 1 - (1 - _STRANGER) * fit.max()
    return np.asarray(shared * (near * (1 - fit) * stranger + skilled * fit))


def correctness(evidence: Evidence, support: Support, shared: Floats) -> Correctness:
    """Judges the candidates by the consensus of their votes, deterministically.

    Args:
        evidence: at least one item and one candidate.
        support: what the inputs say of each.
        shared: a candidate's share in the vote that it has together with its near-duplicates [C].

    References:
        Dawid & Skene 1979 for the consensus.
    """
    weights = vote_weights(evidence, support, shared)
    # A vote of less than one blurs the consensus: the strongest is whole.
    weights = weights / weights.max()
    pooled = pool(evidence, weights)
    right, classes, patterns, counts, place = _consensus(evidence, support, weights)
    items = evidence.votes.shape[1]
    usable = patterns != evidence.unusable
    alike = np.stack([((patterns == one) * usable * counts).sum(axis=1) for one in patterns]) / items
    np.fill_diagonal(alike, 1)
    together = np.stack(
        [
            ((patterns == one) * (counts * of_one)).sum(axis=1)
            for one, of_one in zip(patterns, right, strict=True)
        ]
    )
    others = weights.sum() - weights
    shares = np.stack([np.bincount(one, minlength=len(classes)) for one in evidence.votes]) / items
    return Correctness(
        items=items,
        value=right @ counts / items,
        pooled=pooled.right,
        agreement=np.where(others > 0, (alike @ weights - weights) / np.maximum(others, _ROUNDING), 1.0),
        promised=pooled.promised,
        together=(together + together.T) / (2 * items),
        chance=shares @ classes,
        right=right[:, place],
    )


def estimate_accuracy(
    parts: Sequence[Correctness],
    evidence: Evidence,
    support: Support,
    learned: Learned,
    rng: np.random.Generator,
    draws: int,
) -> AccuracyEstimate:
    """Weighs the parts of a window by their items, and turns them into accuracies with draws.

    Args:
        parts: at least one; of the same candidates.
        evidence: evidence of the whole window.
        support: what the inputs of the whole window say of each candidate.
        learned: on sources other than the window's.
        rng: for the draws.
        draws: how many, even.
    """
    signals = signals_of(parts, evidence, support)
    shares = np.array([part.items for part in parts]) / sum(part.items for part in parts)
    chance = shares @ np.stack([part.chance for part in parts])
    value, drawn = draw(signals, learned, rng, draws)
    kappa = np.array([beyond_chance(*pair) for pair in zip(signals.consensus, chance, strict=True)])
    return AccuracyEstimate(value, drawn, kappa)


def signals_of(parts: Sequence[Correctness], evidence: Evidence, support: Support) -> Signals:
    """Gathers what a window says of the candidates' accuracies; arguments as for `estimate_accuracy`."""
    shares = np.array([part.items for part in parts]) / sum(part.items for part in parts)
    consensus = shares @ np.stack([part.value for part in parts])
    together = np.tensordot(shares, np.stack([part.together for part in parts]), axes=1)
    validations = [None if one is None else one.validation for one in evidence.profiles]
    return Signals(
        items=sum(part.items for part in parts),
        classes=len(evidence.labels) - (evidence.unusable is not None),
        consensus=consensus,
        pooled=shares @ np.stack([part.pooled for part in parts]),
        agreement=shares @ np.stack([part.agreement for part in parts]),
        kappa=pool_beyond_chance(evidence.votes, len(evidence.labels), evidence.unusable)
        if len(consensus) > 1
        else 0.0,
        correlation=_correlation(together - np.outer(consensus, consensus)),
        fit=support.fit,
        promised=shares @ np.stack([part.promised for part in parts]),
        validation_rows=np.array([0 if one is None else one.rows for one in validations], dtype=np.float64),
    )


def _consensus(
    evidence: Evidence, support: Support, weights: Floats
) -> tuple[Floats, Floats, Array, Array, Array]:
    """Expected correctness by pattern of votes, class shares, the patterns, their counts, each item's."""
    votes = evidence.votes
    items, classes = votes.shape[1], len(evidence.labels)
    patterns, place, counts = np.unique(votes, axis=1, return_inverse=True, return_counts=True)
    place = place.ravel()
    validated = support.fit * _VALIDATION_SHARE
    if classes > _MOST_CONFUSED:
        validations = [None if one is None else one.validation for one in evidence.profiles]
        rows = np.array([0 if one is None else one.rows for one in validations])
        hits = np.array([0 if one is None else one.confusion.trace() for one in validations])
        known = hits / np.maximum(rows, 1)
        right = one_coin(
            patterns,
            classes,
            weights,
            counts,
            known,
            np.where(rows > 0, validated * items, 0.0),
            evidence.unusable,
        )
        voted = np.bincount(patterns.ravel(), (right * counts).ravel(), minlength=classes)
        return right, voted / max(voted.sum(), _ROUNDING), patterns, counts, place
    # Probabilities say more than votes where the first guess decides which optimum is found.
    towards = leaning(evidence, weights)
    first: Floats = np.stack([np.bincount(place, one, len(counts)) for one in towards.T], axis=1)
    prior = confusion_prior(evidence.profiles, evidence.labels, validated, items)
    first += _FIRST_ROOM
    if evidence.unusable is not None:
        first[:, evidence.unusable] = 0
    found = dawid_skene(patterns, prior, weights, counts, first, evidence.unusable)
    return (
        found.posterior[np.arange(len(counts)), patterns],
        counts @ found.posterior / items,
        patterns,
        counts,
        place,
    )


def _skill(confusion: Array) -> float:
    """Cohen's kappa of validated answers with the true classes; NaN without any."""
    total = confusion.sum()
    if not total:
        return float("nan")
    shares = confusion / total
    return beyond_chance(float(shares.trace()), float(shares.sum(axis=0) @ shares.sum(axis=1)))


def _correlation(covariance: Floats) -> Floats:
    deviations = np.sqrt(np.maximum(covariance.diagonal(), _ROUNDING))
    found = covariance / np.outer(deviations, deviations)
    # Where a candidate is surely right everywhere, or nowhere, nothing else is known of its errors.
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
