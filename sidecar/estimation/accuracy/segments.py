"""Finds kinds of traffic by the candidates' answers alone, where nothing is known of the inputs.

Mixed traffic hides the answer: where candidates fail on one kind of items, their errors agree and
outvote the one that does not. Which candidates stand alone on an item tells its kind.
"""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.accuracy.clusters import k_means, nearest_centre

MAX_SEGMENTS = 4
_MIN_CANDIDATES = 3
# With two classes an item's pattern of agreement is its answers up to a swap: a segment would be a class.
_MIN_CLASSES = 3


def agreement_segments(votes: Array, classes: int, min_items: int, rng: np.random.Generator) -> Array | None:
    """Groups items by how many others each candidate agrees with on them.

    Args:
        votes: shape [C, n].
        classes: K.
        min_items: least number of items of a segment.
        rng: for the starts; equal states give the same segments, whatever the order of the items.

    Returns:
        a number for each item [n], larger segments first; None where there are too few candidates,
        classes or items, or a group would be too small.
    """
    if len(votes) < _MIN_CANDIDATES or classes < _MIN_CLASSES or votes.shape[1] < MAX_SEGMENTS * min_items:
        return None
    patterns, place, counts = np.unique(votes, axis=1, return_inverse=True, return_counts=True)
    if len(counts) < MAX_SEGMENTS:
        return None
    points = _company(patterns, classes)
    groups = nearest_centre(points, k_means(points, counts, MAX_SEGMENTS, rng))
    sizes = np.bincount(groups, counts, MAX_SEGMENTS)
    if sizes.min() < min_items:
        return None
    renamed = np.argsort(np.argsort(-sizes, kind="stable"))
    return np.asarray(renamed[groups][place.ravel()])


def _company(votes: Array, classes: int) -> Floats:
    """Share of the other candidates that answer as each does, shape [n, C]."""
    cells = votes + classes * np.arange(votes.shape[1])
    found = np.bincount(cells.ravel(), minlength=classes * votes.shape[1])
    return np.asarray((found[cells] - 1).T / (len(votes) - 1))
