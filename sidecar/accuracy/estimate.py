"""From the candidates' answers to estimated accuracy, with draws that say how sure it is.

The draws redraw the items, the committee of voters, and the right answers that nobody saw. They do
not know about errors that most candidates share: like every label-free estimate, this one has no
guarantee without assumptions on the shift, and on benchmark data consensus estimates are about 0.1
too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.accuracy.agreement import beyond_chance, duplicate_weights
from sidecar.accuracy.dawid_skene import class_posterior, dawid_skene
from sidecar.accuracy.prior import confusion_prior
from sidecar.accuracy.support import support_weights
from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import Estimate
from sidecar.domain.tensors import Array, Floats

# Reweighted committees; each serves an equal part of the draws.
COMMITTEES = 25
# Redrawn votes then differ by a quarter (one standard deviation) from what they were: it moves a
# consensus that hangs on one voter, and leaves alone one that all voters bear.
_COMMITTEE_SHAPE = 16.0
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class AccuracyEstimate:
    """Estimated accuracies of all candidates together; C candidates, B draws.

    Attributes:
        value: expected share of right answers under the consensus [C].
        draws: share of right answers, redrawn; joint over candidates [B, C].
        kappa: agreement with the consensus beyond chance [C].
    """

    value: Floats
    draws: Floats
    kappa: Floats

    def interval(self, candidate: int, level: float) -> Estimate:
        """Takes a candidate's value with the middle `level` of its draws."""
        value = float(self.value[candidate])
        low, high = np.quantile(self.draws[:, candidate], [(1 - level) / 2, (1 + level) / 2])
        return Estimate(value, min(float(low), value), max(float(high), value), level)

    def better(self, first: int, second: int, level: float) -> bool:
        """Whether the interval of the paired difference of two candidates lies above 0."""
        difference = self.draws[:, first] - self.draws[:, second]
        return bool(np.quantile(difference, (1 - level) / 2) > _SAME)

    def p_best(self) -> Floats:
        """Takes each candidate's share of draws in which it is best; draws that tie are split."""
        best = self.draws >= self.draws.max(axis=1, keepdims=True) - _SAME
        return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def estimate_accuracy(
    evidence: Evidence, support: Sequence[float | None], rng: np.random.Generator, draws: int
) -> AccuracyEstimate:
    """Estimates how often each candidate is right on the window's items.

    Args:
        evidence: at least one item and one candidate.
        support: how well each source covers the traffic, C of them; None where that is not known.
        rng: for the draws; equal states give equal draws, whatever the order of the items.
        draws: how many at least; a multiple of COMMITTEES is made.

    Returns:
        the estimate; accuracy is expected correctness under the consensus of the votes.

    References:
        Dawid & Skene 1979 for the consensus; Efron 1979 for the paired bootstrap over items; Rubin
        1981 for weights that redraw the committee.
    """
    votes = evidence.probabilities.argmax(axis=2)
    items = votes.shape[1]
    patterns, counts = np.unique(votes, axis=1, return_counts=True)
    known = np.array([value or 0.0 for value in support])
    prior = confusion_prior(evidence.profiles, evidence.labels, known, items)
    weights = duplicate_weights(evidence.probabilities, votes) * support_weights(support)
    consensus = dawid_skene(patterns, prior, weights, counts)
    value = _correctness(patterns, consensus.posterior) @ counts / items
    drawn = []
    for _ in range(COMMITTEES):
        committee = weights * rng.gamma(_COMMITTEE_SHAPE, size=len(weights))
        committee *= weights.sum() / committee.sum()
        right = _correctness(patterns, class_posterior(patterns, consensus, committee))
        drawn.append(_resample(counts, -(-draws // COMMITTEES), rng) @ right.T / items)
    noise = _answer_noise(patterns, consensus.posterior, counts, rng, len(drawn) * len(drawn[0]))
    vote_shares = np.stack([np.bincount(one, minlength=len(evidence.labels)) for one in votes]) / items
    chance = vote_shares @ (counts @ consensus.posterior / items)
    kappa = np.array([beyond_chance(*pair) for pair in zip(value, chance, strict=True)])
    return AccuracyEstimate(value, (np.concatenate(drawn) + noise / items).clip(0, 1), kappa)


def _correctness(votes: Array, posterior: Floats) -> Floats:
    """Probability that each vote is right, shape [C, n]."""
    return np.asarray(posterior[np.arange(votes.shape[1]), votes])


def _answer_noise(
    votes: Array, posterior: Floats, counts: Array, rng: np.random.Generator, draws: int
) -> Floats:
    """Draws how far the counts of right answers lie from their expectation, shape [draws, C].

    Normal with the exact covariance of the counts when each item's right answer is drawn from its
    posterior: two candidates that vote alike are right together.
    """
    right = _correctness(votes, posterior)
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
