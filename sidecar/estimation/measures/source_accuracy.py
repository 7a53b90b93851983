"""Source accuracy: how often a candidate was right on its own validation data."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def source_accuracy(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the validation accuracy; the interval is that of the validation rows, not of the traffic.

    Returns:
        value 0 to 1 of each candidate.
    """
    return tuple(
        mean_estimate(np.arange(one.rows) < one.confusion.trace(), (0, 1)) for one in evidence.validations
    )
