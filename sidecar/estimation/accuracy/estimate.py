"""From the candidates' answers to estimated accuracy, with draws that say how sure it is.

The consensus of the votes stands for the labels that nobody has. The draws redraw the items and the
right answers that nobody saw, and add the errors that consensus had on benchmark domains. Like
every label-free estimate, this one has no guarantee without assumptions on the shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.error_model import ErrorModel
from sidecar.estimation.accuracy.ranks import spearman
from sidecar.estimation.accuracy.support import Support
from sidecar.estimation.measures.consensus import dawid_skene
from sidecar.estimation.measures.likeness import beyond_chance
from sidecar.estimation.measures.prior import confusion_prior

# A candidate whose source is like the traffic brings its validation confusion with as much weight as
# this share of the part's items has: a majority of strangers must not outvote it.
VALIDATION_SHARE = 0.5
# What a vote from a source that is not like the traffic counts where another candidate's source is.
_STRANGER = 0.1
# Keeps every class possible in the first guess.
_FIRST_ROOM = 1e-3
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Correctness:
    """How often each candidate is right under the consensus of one part of the window.

    Attributes:
        items: in the part.
        value: expected share of right answers [C].
        draws: the same, redrawn, joint over candidates [B, C].
        chance: the share that blind answers of the same class shares would get right [C].
        right: expected correctness of each answer [C, items].
    """

    items: int
    value: Floats
    draws: Floats
    chance: Floats
    right: Floats


@dataclass(frozen=True, slots=True)
class AccuracyEstimate:
    """Estimated accuracies of all candidates together; C candidates, B draws.

    Attributes:
        consensus: expected share of right answers under the consensus, uncorrected [C].
        value: estimated accuracy [C].
        draws: accuracy, redrawn; joint over candidates [B, C].
        kappa: agreement with the consensus beyond chance [C].
    """

    consensus: Floats
    value: Floats
    draws: Floats
    kappa: Floats

    def interval(self, candidate: int, level: float) -> Estimate:
        """Takes a candidate's value with the middle `level` of its draws."""
        value = float(self.value[candidate])
        low, high = np.quantile(self.draws[:, candidate], [(1 - level) / 2, (1 + level) / 2])
        return Estimate(value, min(float(low), value), max(float(high), value), level)

    def order_risk(self, least: float) -> float:
        """Chance that the order correlates less with the truth, by the draws; 0 to 1.

        Args:
            least: Spearman's correlation. Where either side orders nothing it counts as less.
        """
        found = [spearman(draw, self.value) for draw in self.draws]
        return float(np.mean([one is None or one < least for one in found]))


def correctness(
    evidence: Evidence, support: Support, weights: Floats, rng: np.random.Generator, draws: int
) -> Correctness:
    """Judges the candidates by the consensus of their votes.

    Args:
        evidence: at least one item and one candidate.
        support: what the inputs say of each.
        weights: how much of a vote each candidate has [C].
        rng: for the draws; equal states give equal draws, whatever the order of the items.
        draws: how many.

    References:
        Dawid & Skene 1979 for the consensus; Efron 1979 for the paired bootstrap over items.
    """
    votes = evidence.votes
    items = votes.shape[1]
    patterns, place, counts = np.unique(votes, axis=1, return_inverse=True, return_counts=True)
    if support.fits.any():
        weights = np.where(support.strange, weights * _STRANGER, weights)
    # A vote of less than one blurs the consensus: the strongest is whole.
    weights = weights / weights.max()
    # Probabilities say more than votes where the first guess decides which optimum is found.
    leaning = np.zeros(evidence.probabilities.shape[1:])
    for weight, shares in zip(weights, evidence.probabilities, strict=True):
        leaning += float(weight) * shares
    first: Floats = np.stack([np.bincount(place.ravel(), one, len(counts)) for one in leaning.T], axis=1)
    prior = confusion_prior(
        evidence.profiles, evidence.labels, support.fits * support.trust * VALIDATION_SHARE, items
    )
    consensus = dawid_skene(patterns, prior, weights, counts, first + _FIRST_ROOM)
    right = consensus.posterior[np.arange(len(counts)), patterns]
    drawn = _resample(counts, draws, rng) @ right.T
    noise = _answer_noise(patterns, consensus.posterior, counts, rng, draws)
    shares = np.stack([np.bincount(one, minlength=len(evidence.labels)) for one in votes]) / items
    return Correctness(
        items=items,
        value=right @ counts / items,
        draws=np.clip((drawn + noise) / items, 0, 1),
        chance=shares @ (counts @ consensus.posterior / items),
        right=right[:, place.ravel()],
    )


def estimate_accuracy(
    parts: Sequence[Correctness],
    votes: Array,
    support: Support,
    model: ErrorModel,
    rng: np.random.Generator,
) -> AccuracyEstimate:
    """Weighs the parts of a window by their items, and corrects by what consensus gets wrong elsewhere.

    Args:
        parts: at least one; of the same candidates, with as many draws.
        votes: of the whole window [C, n]; candidates that vote alike err alike.
        support: what the inputs of the whole window say of each.
        model: fitted on domains other than the one it is used on.
        rng: for the errors of the model.
    """
    shares = np.array([part.items for part in parts]) / sum(part.items for part in parts)
    consensus = shares @ np.stack([part.value for part in parts])
    chance = shares @ np.stack([part.chance for part in parts])
    draws = np.tensordot(shares, np.stack([part.draws for part in parts]), axes=1)
    _, alike = np.unique(votes, axis=0, return_inverse=True)
    kappa = np.array([beyond_chance(*pair) for pair in zip(consensus, chance, strict=True)])
    value, drawn = model.corrected(consensus), model.drawn(draws, alike.ravel(), rng)
    known = support.fits & np.isfinite(support.validation)
    # Skill moves with a candidate to traffic of another class mix; a share of right answers does not.
    skilled = chance + np.where(known, support.validation, 0.0) * (1 - chance)
    # How much it counts is not known either: where it contradicts the consensus the draws lie between them.
    weight = known * model.validated * support.trust
    drawn_weight = weight * rng.uniform(0, 2, size=(len(drawn), 1))
    return AccuracyEstimate(
        consensus,
        value + weight * (skilled - value),
        np.clip(drawn + drawn_weight * (skilled - drawn), 0, 1),
        kappa,
    )


def _answer_noise(
    votes: Array, posterior: Floats, counts: Array, rng: np.random.Generator, draws: int
) -> Floats:
    """Draws how far the counts of right answers lie from their expectation, shape [draws, C].

    Normal with the exact covariance of the counts when each item's right answer is drawn from its
    posterior: two candidates that vote alike are right together.
    """
    right = posterior[np.arange(votes.shape[1]), votes]
    together = np.zeros((len(votes), len(votes)))
    for label in np.unique(votes):
        chosen = votes == label
        together += np.where(chosen, right * counts, 0.0) @ chosen.T
    values, vectors = np.linalg.eigh(together - (right * counts) @ right.T)
    # What is left of a zero eigenvalue would tell candidates apart that vote alike.
    scale = np.sqrt(np.where(values > values[-1] * _SAME, values, 0.0))
    return np.asarray((rng.standard_normal((draws, len(votes))) * scale) @ vectors.T)


def _resample(counts: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draws as many items anew, with replacement; how often each pattern came, shape [draws, n]."""
    pattern_of = np.repeat(np.arange(len(counts)), counts)
    chosen = pattern_of[rng.integers(len(pattern_of), size=(draws, len(pattern_of)))]
    cells = chosen + len(counts) * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * len(counts)).reshape(draws, -1)
