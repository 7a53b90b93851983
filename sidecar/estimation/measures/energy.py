"""Energy: how much evidence for any class a candidate's logits hold."""

from __future__ import annotations

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.interval import mean_estimate


def energy(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the mean logsumexp of the logits: the energy of Liu et al. with its sign turned.

    A softmax does not change when a number is added to all logits of an item, and this does: it
    compares models that were trained alike, and one model over time. It has no bounds, so those of
    its items stand for them; where all items are equal the interval is closed.

    Returns:
        value in the logits' unit of each candidate.

    References:
        Liu et al. 2020.
    """
    return tuple(
        mean_estimate(scores, (float(scores.min()), float(scores.max())))
        for scores in evidence.energies
        if scores is not None
    )
