"""EnsV: how often a candidate agrees with all candidates' mean answer."""

from __future__ import annotations

import numpy as np

from sidecar.core.class_shares import share_type
from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate

# Means of the same numbers in another order differ by less.
_ROUNDING = 1e-12


def ensemble_agreement(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the share of items whose class has the highest mean probability over the candidates.

    Of classes that tie for it each is right in part; of hard answers this is the plurality.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Hu et al. 2024 (EnsV).
    """
    candidates, items, classes = evidence.probabilities.shape
    mean = np.zeros((items, classes), share_type(classes))
    for candidate in range(candidates):
        mean += evidence.probabilities[candidate]
    mean /= candidates
    if evidence.unusable is not None:
        mean[:, evidence.unusable] = -1
    best = mean >= mean.max(axis=1, keepdims=True) - _ROUNDING
    ties, places = best.sum(axis=1), np.arange(items)
    return tuple(mean_estimate(best[places, votes] / ties, (0, 1)) for votes in evidence.votes)
