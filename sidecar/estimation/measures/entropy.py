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
    tiny = np.finfo(np.float64).tiny
    answers = []
    for shares in evidence.probabilities:
        scores = -(shares * np.log(np.maximum(shares, tiny))).sum(axis=1)
        answers.append(mean_estimate(np.clip(scores, 0, most), (0, most)))
    return tuple(answers)
