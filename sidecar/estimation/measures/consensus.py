"""Dawid-Skene: the labels that the candidates' votes point to, and how each candidate errs.

Each candidate has a confusion matrix; given the true class, votes are taken as independent. Where
several candidates share their errors that does not hold: see `sidecar.estimation.measures.likeness` for
near-duplicates and `sidecar.estimation.measures.prior` for what holds against a majority that never saw such
traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, Floats

MAX_ITERATIONS = 50
# Largest change of a posterior probability at which the labels are taken as settled.
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the votes say together; C candidates, n items, K classes.

    Attributes:
        posterior: probability of each class for each item [n, K].
        confusion: estimated, rows sum to 1: true class, voted class [C, K, K].
        class_prior: estimated share of each class [K].
        iterations: rounds of expectation and maximisation until it settled, or MAX_ITERATIONS.
    """

    posterior: Floats
    confusion: Floats
    class_prior: Floats
    iterations: int


def dawid_skene(
    votes: Array,
    prior: Floats,
    weights: Floats,
    counts: Array,
    first: Floats | None = None,
    unusable: int | None = None,
) -> Consensus:
    """Fits confusion matrices and item classes by expectation maximisation.

    Args:
        votes: voted classes, 0 to K - 1, shape [C, n].
        prior: Dirichlet pseudo-counts of the confusion matrices, all above 0, shape [C, K, K].
        weights: how much of a vote each candidate has, shape [C].
        counts: how many items each column stands for, shape [n].
        first: what is guessed of each item's class at first, above 0, shape [n, K]; None: what the
            prior says, so a candidate with a known confusion leads it.
        unusable: a class that is no item's, though candidates may vote for it; None: all classes may be.

    Returns:
        the consensus at a local maximum; deterministic.

    Raises:
        InvalidError: shapes differ, there is no item, or a pseudo-count is not above 0.

    References:
        Dawid & Skene 1979; the maximum a posteriori form. One pseudo-item a class smooths the
        class shares.
    """
    candidates, items = votes.shape
    classes = prior.shape[-1]
    if not items or prior.shape != (candidates, classes, classes) or not (prior > 0).all():
        raise InvalidError(
            f"votes {votes.shape} and prior {prior.shape} must be [C, n > 0] and [C, K, K], the prior above 0"
        )
    order, starts, voted = _by_class(votes)
    shares = np.full(classes, 1 / classes)
    confusion = prior / prior.sum(axis=2, keepdims=True)
    if first is None:
        posterior = _posterior(votes, confusion, shares, weights, unusable)
    else:
        posterior = first / first.sum(axis=1, keepdims=True)
    sorted_rows = np.empty_like(posterior)
    settled, iterations = False, 0
    while not settled and iterations < MAX_ITERATIONS:
        iterations += 1
        weighted = posterior * counts[:, None]
        confusion = prior.copy()
        for candidate in range(candidates):
            sums = np.add.reduceat(_rows(weighted, order[candidate], sorted_rows), starts[candidate], axis=0)
            confusion[candidate][:, voted[candidate]] += sums.T
        confusion /= confusion.sum(axis=2, keepdims=True)
        shares = (weighted.sum(axis=0) + 1) / (counts.sum() + classes)
        before, posterior = posterior, _posterior(votes, confusion, shares, weights, unusable)
        settled = bool(np.abs(posterior - before).max() < TOLERANCE)
    return Consensus(posterior, confusion, shares, iterations)


def one_coin(
    votes: Array,
    classes: int,
    weights: Floats,
    counts: Array,
    known: Floats,
    known_items: Floats,
    unusable: int | None = None,
) -> Floats:
    """Fits one accuracy a candidate, where there are too many classes for confusion matrices.

    A candidate is right with its accuracy whatever the true class, and its errors fall on all other classes
    alike. Only classes that somebody votes for are looked at one by one, so cost does not grow with classes.

    Args:
        votes: voted classes, 0 to K - 1, shape [C, n].
        classes: K.
        weights: how much of a vote each candidate has, shape [C].
        counts: how many items each column stands for, shape [n].
        known: accuracy that is known beforehand, shape [C].
        known_items: how many items that knowledge counts as, shape [C].
        unusable: a class that is no item's, though candidates may vote for it; None: all classes may be.

    Returns:
        probability that each answer is right [C, n]; deterministic.

    References:
        Dawid & Skene 1979 with one parameter a candidate; Li, Yu & Zhou 2013 for what it is called.
    """
    alike = np.stack([votes == one for one in votes])
    same = alike.sum(axis=1)
    possible = np.ones(votes.shape) if unusable is None else (votes != unusable).astype(np.float64)
    # At first the share of the votes, so that a majority leads.
    right = possible * np.tensordot(alike, weights, axes=(1, 0)) / weights.sum()
    for _ in range(MAX_ITERATIONS):
        accuracy = (right @ counts + known * known_items + 1) / (counts.sum() + known_items + 2)
        error = np.log((1 - accuracy) / (classes - 1))
        gains = weights * (np.log(accuracy) - error)
        scores = np.tensordot(alike, gains, axes=(1, 0))
        least = scores.max(axis=0)
        # Of each voted class once, and of all classes that nobody votes for together.
        each = possible * np.exp(scores - least)
        voted = (each / same).sum(axis=0)
        unvoted = np.maximum(classes - (possible / same).sum(axis=0), 0) * np.exp(-least)
        # Where all agree, rounding must not make a probability of more than 1.
        before, right = right, np.minimum(each / (voted + unvoted), 1)
        if np.abs(right - before).max() < TOLERANCE:
            break
    return np.asarray(right)


def _by_class(votes: Array) -> tuple[Array, list[Array], list[Array]]:
    """Sorts each candidate's items by voted class: the order, where each class starts, which it is."""
    order = np.argsort(votes, axis=1, kind="stable")
    found = [np.unique(one, return_index=True) for one in np.take_along_axis(votes, order, axis=1)]
    return order, [starts for _, starts in found], [voted for voted, _ in found]


def _posterior(
    votes: Array, confusion: Floats, shares: Floats, weights: Floats, unusable: int | None
) -> Floats:
    scores = np.tile(np.log(shares), (votes.shape[1], 1))
    picked = np.empty_like(scores)
    for candidate, voted in enumerate(votes):
        # Transposed in memory, so that each vote picks one run of bytes.
        speaks_for = np.ascontiguousarray(np.log(confusion[candidate]).T) * weights[candidate]
        scores += _rows(speaks_for, voted, picked)
    if unusable is not None:
        scores[:, unusable] = -np.inf
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _rows(table: Floats, chosen: Array, out: Floats) -> Floats:
    """Picks rows; four times as fast as indexing. The rows exist, so "clip" changes none of them."""
    return np.take(table, chosen, axis=0, out=out, mode="clip")
