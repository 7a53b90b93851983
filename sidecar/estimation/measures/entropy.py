"""Entropy: how undecided a candidate's answers are."""

from __future__ import annotations

import math

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def entropy(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean entropy of the answered distributions over the window's items.

    Returns:
        value 0 to ln K, nats, of each candidate.
    """
    most = math.log(len(evidence.labels))
    answers = []
    for shares in evidence.probabilities:
        terms = np.log(np.maximum(shares, np.finfo(shares.dtype).tiny))
        terms *= shares
        scores = -terms.sum(axis=1)
        answers.append(mean_estimate(np.clip(scores, 0, most), (0, most)))
    return tuple(answers)
