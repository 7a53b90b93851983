"""CBPE: the accuracy that calibrated confidence promises."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.profile import Validation
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.interval import mean_estimate


def confidence_based_performance(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean of the highest probability, calibrated on the validation data.

    Returns:
        value 0 to 1 of each candidate.

    References:
        NannyML's documentation, confidence-based performance estimation; isotonic calibration over
        the stored confidence bins (Zadrozny & Elkan 2002).
    """
    answers = []
    for highest, validation in zip(evidence.highest, evidence.validations, strict=True):
        confidence, right = calibration_curve(validation)
        answers.append(mean_estimate(np.interp(highest, confidence, right), (0, 1)))
    return tuple(answers)


def calibration_curve(validation: Validation) -> tuple[Floats, Floats]:
    """Fits the least-squares line that never falls through the calibration bins.

    Returns:
        mean confidence of the bins with rows, ascending [b], and their fitted accuracy [b];
        linear between them, level outside.

    References:
        Ayer et al. 1955, pool adjacent violators.
    """
    rows, confidence, right = validation.calibration[validation.calibration[:, 0] > 0].T
    pools: list[tuple[float, float, int]] = []
    for weight, share in zip(rows.tolist(), right.tolist(), strict=True):
        pool = (weight, share, 1)
        while pools and pools[-1][1] >= pool[1]:
            before = pools.pop()
            total = before[0] + pool[0]
            pool = (total, (before[0] * before[1] + pool[0] * pool[1]) / total, before[2] + pool[2])
        pools.append(pool)
    fitted = np.repeat([share for _, share, _ in pools], [bins for _, _, bins in pools])
    return confidence, fitted
