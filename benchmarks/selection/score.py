"""How good an order of candidates was, where labels tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.ranks import spearman

# A ranking below this rank correlation is bad, and should say so.
BAD: Final = 0.3


@dataclass(frozen=True, slots=True)
class Score:
    """One order of C candidates against the truth.

    Attributes:
        pearson: linear correlation over the candidates that have a value; None where it is undefined.
        spearman: rank correlation; candidates without a value share the last place. None where undefined.
        regret: what the first candidate loses to the best one; expected, where several share the first place.
        hits: chance that the first candidate is a best one.
        mae: mean distance to the true accuracy over the candidates that have a value; None without any,
            or where the values are no accuracies.
    """

    pearson: float | None
    spearman: float | None
    regret: float
    hits: float
    mae: float | None


def score(
    values: Sequence[float | None], quality: Floats, accuracy: Floats | None = None, *, direction: int = 1
) -> Score:
    """Judges an order of candidates; without any value it is the order of a random draw.

    Args:
        values: by candidate; None where there is none.
        quality: what makes a candidate good; higher is better [C].
        accuracy: the true accuracies [C], where the values estimate these.
        direction: +1 where higher values speak for a candidate, -1 where lower ones do.
    """
    known = np.array([value is not None for value in values])
    merit = np.array([-np.inf if value is None else direction * value for value in values])
    first = merit == merit.max()
    return Score(
        pearson=_pearson(merit[known], quality[known]),
        spearman=spearman(merit, quality),
        regret=float(np.mean(quality.max() - quality[first])),
        hits=float(np.mean(quality[first] == quality.max())),
        mae=float(np.abs(direction * merit[known] - accuracy[known]).mean())
        if accuracy is not None and known.any()
        else None,
    )


def accuracies(votes: Array, truth: Array) -> Floats:
    """Share of right answers [C].

    Args:
        votes: each candidate's class for each item [C, n].
        truth: true classes [n].
    """
    return np.asarray((votes == truth).mean(axis=1))


def qualities(kind: Literal["accuracy", "f1"], votes: Array, truth: Array) -> Floats:
    """What makes a candidate good: accuracy, or F1 of the rarest class [C]; arguments as in `accuracies`."""
    return rare_f1(votes, truth) if kind == "f1" else accuracies(votes, truth)


def rare_f1(votes: Array, truth: Array) -> Floats:
    """F1 of the rarest class that occurs [C]; arguments as in `accuracies`."""
    classes, counts = np.unique(truth, return_counts=True)
    rare = classes[counts.argmin()]
    right = ((votes == rare) & (truth == rare)).sum(axis=1)
    return np.asarray(2 * right / ((votes == rare).sum(axis=1) + (truth == rare).sum()))


def mixed_regret(right: Array, segments: Array, served: Array) -> float:
    """What a choice loses to the best candidate of each kind of traffic.

    Args:
        right: whether a candidate's answer is right, bool [C, n].
        segments: the kind of each item [n].
        served: number of the candidate that answers each item [n].
    """
    places = np.unique(segments, return_inverse=True)[1]
    counts = np.bincount(places)
    best = np.max([np.bincount(places, weights=row) for row in right], axis=0).sum() / counts.sum()
    return float(best - right[served, np.arange(len(served))].mean())


def _pearson(one: Floats, other: Floats) -> float | None:
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):
        return None
    return float(np.corrcoef(one, other)[0, 1])
