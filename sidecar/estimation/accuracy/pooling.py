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
    """What the probabilities say together; C candidates, n items, K classes.

    Attributes:
        leaning: weighted sum of the candidates' probabilities [n, K].
        right: expected share of each candidate's answers that the pooled probabilities call right [C].
        promised: accuracy that each candidate's calibrated confidence promises; NaN without validation [C].
    """

    leaning: Array
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
    shape = votes.shape[1], len(evidence.labels)
    precision = share_type(shape[1])
    leaning, logarithms = np.zeros(shape, precision), np.zeros(shape, precision)
    promised = np.full(len(votes), np.nan)
    powers = weights / weights.sum()
    for candidate, (shares, profile) in enumerate(
        zip(evidence.probabilities, evidence.profiles, strict=True)
    ):
        validation = None if profile is None else profile.validation
        if validation is not None:
            shares, confidence = calibrated(shares, validation)  # noqa: PLW2901 - the same, calibrated
            promised[candidate] = float(confidence.mean())
        leaning += float(weights[candidate]) * shares
        logarithms += float(powers[candidate]) * np.log(shares + _ROOM)
    logarithms -= logarithms.max(axis=1, keepdims=True)
    np.exp(logarithms, out=logarithms)
    logarithms /= logarithms.sum(axis=1, keepdims=True)
    items = np.arange(shape[0])
    return Pool(leaning, np.array([logarithms[items, one].mean(dtype=np.float64) for one in votes]), promised)


def calibrated(shares: Array, validation: Validation) -> tuple[Array, Floats]:
    """Gives the highest probability the accuracy that it had on the validation data.

    Args:
        shares: rows sum to 1, [n, K].
        validation: of the candidate.

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
