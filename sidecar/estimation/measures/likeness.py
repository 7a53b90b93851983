"""How alike the candidates' votes are: beyond chance, and too much to count as several votes."""

from __future__ import annotations

import numpy as np

from sidecar.core.class_shares import ClassShares, Stack
from sidecar.core.tensors import Array, Floats

# Copies of one model (re-exported, quantised) answer alike in almost every item and with almost the
# same probabilities; independent models of high accuracy share answers, not probabilities.
DUPLICATE_AGREEMENT = 0.98
DUPLICATE_DISTANCE = 0.01
# A pair's distance is taken over every item up to this many probabilities, and over evenly spaced items
# beyond: twenty copies are 190 pairs, and 262 items of 1,000 classes tell a copy's 0.001 from 0.01.
_MEASURED = 1 << 18
_ROUNDING = 1e-12


def pairwise_agreement(votes: Array, unusable: int | None = None) -> Floats:
    """Takes the share of items that two candidates answer alike.

    Args:
        votes: shape [C, n], n > 0.
        unusable: the class that stands for no usable answer: two of them are no agreement.

    Returns:
        shape [C, C], symmetric, 1 on the diagonal.
    """
    agreement = np.stack([((votes == one) & (one != unusable)).mean(axis=1) for one in votes])
    np.fill_diagonal(agreement, 1)
    return agreement


def beyond_chance(agreement: float, chance: float) -> float:
    """Takes agreement beyond chance (kappa).

    Args:
        agreement: share of items answered alike.
        chance: the share that would be if both kept their class shares and answered blindly.

    Returns:
        1 for full agreement, 0 for chance, below 0 for less. Two that can do nothing but agree, as
        both always answer the same class, are at 0: that tells nothing.

    References:
        Cohen 1960.
    """
    room = 1 - chance
    return (agreement - chance) / room if room > _ROUNDING else 0.0


def pool_beyond_chance(votes: Array, classes: int, unusable: int | None = None) -> float:
    """Takes the mean agreement of all pairs of candidates beyond their mean agreement by chance.

    Args:
        votes: shape [C, n], C > 1, n > 0.
        classes: K.
        unusable: see `pairwise_agreement`.
    """
    pairs = np.triu_indices(len(votes), 1)
    shares = np.stack([np.bincount(one, minlength=classes) for one in votes]) / votes.shape[1]
    if unusable is not None:
        shares[:, unusable] = 0
    agreement = pairwise_agreement(votes, unusable)[pairs].mean()
    return beyond_chance(float(agreement), float((shares @ shares.T)[pairs].mean()))


def duplicate_weights(probabilities: Stack, votes: Array) -> Floats:
    """Gives near-duplicates one vote together.

    Args:
        probabilities: [C, n, K], read one candidate at a time.
        votes: their classes, shape [C, n].

    Returns:
        1 / the number of candidates that are near-duplicates of it, itself included; shape [C].
    """
    alike = pairwise_agreement(votes) >= DUPLICATE_AGREEMENT
    some = _some(ClassShares.of_array(probabilities))
    for first in np.flatnonzero(np.triu(alike, 1).any(axis=1)).tolist():
        shares = some[first]
        for second in (first + 1 + np.flatnonzero(alike[first, first + 1 :])).tolist():
            distance = np.abs(shares - some[second]).sum(axis=1).mean() / 2
            alike[first, second] = alike[second, first] = distance <= DUPLICATE_DISTANCE
    return np.asarray(1 / alike.sum(axis=1), dtype=np.float64)


def _some(shares: ClassShares) -> ClassShares:
    """All items where they hold few probabilities, evenly spaced ones where they hold many."""
    _, items, classes = shares.shape
    step = -(-items * classes // _MEASURED)
    return shares.where(np.arange(items) % step == 0) if step > 1 else shares
