"""BBSE: the accuracy that the classes' validated recalls promise under the traffic's class shares."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.interval import mean_estimate
from sidecar.estimation.measures.prior import validated_confusion

# Mixtures of classes that the answers tell apart less than this, 1 for two classes that are always
# told apart, drown in the noise of a validation of some thousand rows.
_TOLD_APART = 1e-3
_NO_SHARES = "its answers fit no mixture of the classes that its validation holds"


def label_shift_accuracy(evidence: Evidence) -> tuple[Estimate | str, ...]:
    """Takes sum_k q_k recall_k, where the class shares q of the traffic explain the answers.

    Returns:
        value 0 to 1 of each candidate, or why there is none.

    References:
        Lipton et al. 2018: w = C^-1 mu_T, C the joint shares of answer and class, mu_T the shares
        of the answers; q = w times the source's class shares. Negative shares are cut off and the
        rest is made to sum to 1; where C has no inverse, the pseudo-inverse stands for it.
    """
    return tuple(
        _estimate(validated_confusion(profile, evidence.labels), votes)
        for profile, votes in zip(evidence.profiles, evidence.votes, strict=True)
    )


def _estimate(counts: Floats, votes: Array) -> Estimate | str:
    # Classes without validation rows have no recall, and no share either.
    confusion = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = np.bincount(votes, minlength=len(confusion)) / len(votes)
    inverse = np.linalg.pinv(confusion.T, rcond=_TOLD_APART)
    explained = inverse @ shares
    kept = explained > 0
    total = float(explained[kept].sum())
    if not kept.any():
        return _NO_SHARES
    recall = np.diag(confusion)
    value = float(explained[kept] @ recall[kept]) / total
    # What one more answer of each class would move: the value is linear in the answers' shares, but
    # for the sum that it is divided by.
    linear = value + ((recall - value) * kept) @ inverse / total
    return mean_estimate(linear[votes], (0, 1))
