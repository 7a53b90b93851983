"""Dawid-Skene: how often a candidate is right under the labels that all votes point to."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.consensus import dawid_skene
from sidecar.estimation.measures.interval import mean_estimate
from sidecar.estimation.measures.likeness import duplicate_weights
from sidecar.estimation.measures.prior import confusion_prior

# On benchmark domains a tenth of the window's weight ranks as well as none, and keeps a small
# window from being led by chance.
_VALIDATION_SHARE = 0.1


def flat_consensus(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes expected correctness under the consensus of all votes, nothing known of any candidate.

    The interval redraws items and takes the consensus as it is; errors that candidates share make
    it too high, which no interval over items shows.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Dawid & Skene 1979.
    """
    candidates = len(evidence.votes)
    return _correctness(evidence, np.zeros(candidates), np.ones(candidates))


def informed_consensus(evidence: Evidence) -> tuple[Estimate, ...]:
    """The same, where validation confusions are known beforehand and near-duplicates share a vote.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Dawid & Skene 1979, with Dirichlet priors.
    """
    known = np.full(len(evidence.votes), _VALIDATION_SHARE)
    return _correctness(evidence, known, duplicate_weights(evidence.probabilities, evidence.votes))


def _correctness(evidence: Evidence, known: Floats, weights: Floats) -> tuple[Estimate, ...]:
    votes = evidence.votes
    patterns, place, counts = np.unique(votes, axis=1, return_inverse=True, return_counts=True)
    prior = confusion_prior(evidence.profiles, evidence.labels, known, votes.shape[1])
    posterior = dawid_skene(patterns, prior, weights, counts, unusable=evidence.unusable).posterior
    return tuple(mean_estimate(posterior[place, one], (0, 1)) for one in votes)
