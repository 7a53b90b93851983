"""ATC: the share of items as confident as the right answers were on the validation data."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate

# Answers are kept as float32: a confidence that many items share may lie this far from the one
# that the profile holds.
_ROUNDING = 1e-6


def average_thresholded_confidence(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes share_T(confidence >= t), where t is exceeded by the validated accuracy's share of rows.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Garg et al. 2022 (ATC with the highest probability as score); the threshold is read off the
        stored quantiles of the validation confidences, linear between them.
    """
    answers = []
    for highest, validation in zip(evidence.highest, evidence.validations, strict=True):
        quantiles = validation.confidence_quantiles
        levels = np.linspace(0, 1, len(quantiles))
        threshold = np.interp(1 - validation.accuracy, levels, quantiles)
        answers.append(mean_estimate(highest >= threshold - _ROUNDING, (0, 1)))
    return tuple(answers)
