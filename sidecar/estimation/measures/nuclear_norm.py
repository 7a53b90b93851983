"""Nuclear norm: answers that are both sure and spread over the classes."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate

# Directions that hold less than this share of the answers' squares hold rounding errors.
_NOTHING = 1e-12


def nuclear_norm(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes |P|_* / sqrt(min(n, K) n) of the answers P [n, K].

    With M = P'P / n the norm is sqrt(n) tr(M^1/2), half of which is the mean of p' M^-1/2 p over
    the items p: the interval is that of this mean (delta method).

    Returns:
        value 0 to 1 of each candidate.

    References:
        Deng et al. 2023.
    """
    items, classes = evidence.probabilities.shape[1:]
    answers = []
    for shares in evidence.probabilities:
        squares, directions = np.linalg.eigh(shares.T @ shares / items)
        held = squares > _NOTHING * squares[-1]
        norms = np.sqrt(squares[held])
        scores = ((shares @ directions[:, held]) ** 2 / norms).sum(axis=1)
        # d tr(M^1/2) = tr(M^-1/2 dM) / 2: an item moves the value half as far as its score says.
        linear = (norms.sum() + scores) / 2
        answers.append(mean_estimate(linear / min(items, classes) ** 0.5, (0, 1)))
    return tuple(answers)
