"""Pools the candidates' probabilities, calibrated on their validation data where there is any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.class_shares import share_type
from sidecar.core.evidence import Evidence
from sidecar.core.profile import Validation
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.cbpe import calibration_curve

# A probability of 0 would rule a class out for all candidates: one row in a thousand is always odd.
_ROOM: Final = 1e-3
_CERTAIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Pool:
    """What the probabilities say together; C candidates.

    Attributes:
        right: expected share of each candidate's answers that the pooled probabilities call right [C].
        promised: accuracy that each candidate's calibrated confidence promises; NaN without validation [C].
    """

    right: Floats
    promised: Floats


def pool(evidence: Evidence, weights: Floats) -> Pool:
    """Multiplies the candidates' probabilities, each to the power of its share of the weights.

    Args:
        evidence: at least one candidate and one item.
        weights: what each candidate counts, above 0 [C].

    References:
        Genest & Zidek 1986, logarithmic opinion pools; Satopaa et al. 2014: they are sharper than means.
    """
    votes = evidence.votes
    pooled = np.zeros((votes.shape[1], len(evidence.labels)), share_type(len(evidence.labels)))
    promised = np.full(len(votes), np.nan)
    # Nothing here holds on to a candidate's probabilities: for many classes they are a large array.
    for candidate, power in enumerate((weights / weights.sum()).tolist()):
        shares, confidence = _calibrated(evidence, candidate)
        if confidence is not None:
            promised[candidate] = confidence.mean()
        logarithms = shares + _ROOM
        del shares
        np.log(logarithms, out=logarithms)
        logarithms *= power
        pooled += logarithms
        del logarithms
    if evidence.unusable is not None:
        pooled[:, evidence.unusable] = -np.inf
    pooled -= pooled.max(axis=1, keepdims=True)
    np.exp(pooled, out=pooled)
    pooled /= pooled.sum(axis=1, keepdims=True)
    items = np.arange(len(pooled))
    return Pool(np.array([pooled[items, one].mean(dtype=np.float64) for one in votes]), promised)


def leaning(evidence: Evidence, weights: Floats) -> Floats:
    """Adds calibrated probabilities, each candidate's times its weight [n, K]; arguments as for `pool`."""
    parts = (weight * _calibrated(evidence, candidate)[0] for candidate, weight in enumerate(weights))
    return np.asarray(sum(parts), dtype=np.float64)


def _calibrated(evidence: Evidence, candidate: int) -> tuple[Array, Floats | None]:
    """A candidate's probabilities, and the accuracy of each answer where it was validated."""
    shares, profile = evidence.probabilities[candidate], evidence.profiles[candidate]
    if profile is None or profile.validation is None:
        return shares, None
    return calibrated(shares, profile.validation)


def calibrated(shares: Array, validation: Validation) -> tuple[Array, Floats]:
    """Gives the highest probability the accuracy that it had on the validation data.

    Args:
        shares: rows sum to 1, [n, K].
        validation: validation statistics of the candidate.

    Returns:
        [n, K], rows sum to 1, the other classes in the same proportions; and the accuracy of each answer [n].
    """
    answered, items = shares.argmax(axis=1), np.arange(len(shares))
    confidence = shares[items, answered]
    known, right = calibration_curve(validation)
    promised = np.interp(confidence, known, right)
    kept = np.clip(promised, _ROOM, 1 - _ROOM)
    rest = 1 - confidence
    certain = rest < _CERTAIN
    factors = (1 - kept) / np.where(certain, 1, rest)
    found = shares * factors[:, None].astype(shares.dtype)
    found[certain] = ((1 - kept[certain]) / max(shares.shape[1] - 1, 1))[:, None]
    found[items, answered] = kept
    return found, promised
