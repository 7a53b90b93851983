"""ALine: accuracies whose probits add up to the probits of pairwise agreement."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.interval import mean_estimate
from sidecar.estimation.measures.likeness import pairwise_agreement

_NORMAL = NormalDist()


def agreement_line(evidence: Evidence) -> tuple[Estimate, ...]:
    """Solves probit(agreement_ij) = (probit(a_i) + probit(a_j)) / 2 over all pairs by least squares.

    Baek et al. fit the probits of pairwise agreement on the traffic as a line of those on the
    source, and apply its slope to accuracy (ALine-D). That takes one source, which all candidates
    answered; here each has its own, and profiles keep no joint answers. Where agreement and
    accuracy lie on the same line in the source too, the source's terms of their equation cancel
    whatever the slope, and this equation is left. Half an item more on either side keeps the
    probit of full agreement finite.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Baek et al. 2022.
    """
    votes = evidence.votes
    items = votes.shape[1]
    agreement = (pairwise_agreement(votes, evidence.unusable) * items + 0.5) / (items + 1)
    # Nobody agrees with itself: 1/2 adds nothing to the sums below.
    np.fill_diagonal(agreement, 0.5)
    probits = np.vectorize(_NORMAL.inv_cdf, otypes=[np.float64])(agreement)
    solved = _solved(probits.sum(axis=1))
    # How far one more agreement in an item moves the sums: by the slope of the probit.
    slopes = 1 / _density(probits)
    np.fill_diagonal(slopes, 0.0)
    moves = np.stack([slope @ (votes == one) for slope, one in zip(slopes, votes, strict=True)])
    moved = _solved(moves - moves.mean(axis=1, keepdims=True))
    accuracies = np.array([_NORMAL.cdf(probit) for probit in solved])
    linear = accuracies[:, None] + _density(solved)[:, None] * moved
    return tuple(mean_estimate(scores, (0, 1)) for scores in linear)


def _solved(sums: Floats) -> Floats:
    """The x that fit (x_i + x_j) / 2 = y_ij best, from the sums of y over each i's pairs [C, ...]."""
    candidates = len(sums)
    return np.asarray((2 * sums - sums.sum(axis=0) / (candidates - 1)) / (candidates - 2))


def _density(probits: Floats) -> Floats:
    return np.asarray(np.exp(-(probits**2) / 2) / (2 * np.pi) ** 0.5)
