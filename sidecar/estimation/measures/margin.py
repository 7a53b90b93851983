"""Margin: how far a candidate's first choice lies before its second."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def margin(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean difference of the two highest probabilities; a second class that is none has 0.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Scheffer et al. 2001.
    """
    answers = []
    for shares, votes, highest in zip(evidence.probabilities, evidence.votes, evidence.highest, strict=True):
        others = shares.copy()
        np.put_along_axis(others, votes[:, None], 0.0, axis=1)
        answers.append(mean_estimate(highest - others.max(axis=1), (0, 1)))
    return tuple(answers)
