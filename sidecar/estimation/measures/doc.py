"""DoC: validation accuracy, moved by how much the candidate's confidence moved."""

from __future__ import annotations

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def difference_of_confidences(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes acc_val + AC_T - AC_val, AC the mean confidence.

    Returns:
        value 0 to 1 of each candidate, cut off there.

    References:
        Guillory et al. 2021, regression on the difference of confidences with slope 1.
    """
    answers = []
    for highest, validation in zip(evidence.highest, evidence.validations, strict=True):
        rows, means = validation.calibration[:, 0], validation.calibration[:, 1]
        moved = validation.accuracy - float(rows @ means / rows.sum())
        answers.append(mean_estimate(highest + moved, (0, 1)))
    return tuple(answers)
