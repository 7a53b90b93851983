"""JSD: how far the whole window lies from the whole source, all features together."""

from __future__ import annotations

import numpy as np

from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import Estimate
from sidecar.measures.divergence import LN2, jsd
from sidecar.measures.interval import LEVEL, Z

_MIN_PARTITIONS = 2


def divergence(evidence: Evidence) -> tuple[Estimate | str, ...]:
    """Takes the divergence of the pooled histograms, scaled by the source's range.

    The interval is the jackknife's over target partitions.

    Returns:
        value 0 to ln 2, nats, of each candidate, or why there is none.

    References:
        arXiv 2206.00188, JSD; Efron & Stein 1981 for the jackknife.
    """
    answers: list[Estimate | str] = []
    for profile, target in zip(evidence.profiles, evidence.targets, strict=True):
        parts = len(target.pooled)
        if parts < _MIN_PARTITIONS:
            rows = _MIN_PARTITIONS * profile.partition_rows
            answers.append(f"the window holds fewer than 2 full partitions: {rows} rows are needed")
            continue
        source, window = profile.pooled.sum(axis=0), target.pooled.sum(axis=0)
        value = float(jsd(source, window))
        without_one = jsd(source, window - target.pooled)
        half = Z * float(np.sqrt((parts - 1) * without_one.var()))
        answers.append(Estimate(value, max(value - half, 0.0), min(value + half, LN2), LEVEL))
    return tuple(answers)
