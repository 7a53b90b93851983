"""What is known of a candidate's errors before it sees this traffic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.domain.labels import align
from sidecar.domain.profile import SourceProfile
from sidecar.domain.tensors import Floats

# A candidate whose source covers all of the traffic brings its validation confusion with as much
# weight as this share of the window's items has; one that left its support brings nothing.
VALIDATION_SHARE = 0.5
# What an unknown candidate brings to each class: this many pseudo-items, the right answer twice as
# likely as any other. Enough to say that a vote for a class speaks for it, too little to let a
# majority of unknowns lead the first guess.
_UNKNOWN_ITEMS = 1.0


def confusion_prior(
    profiles: Sequence[SourceProfile], labels: Sequence[str], support: Floats, items: int
) -> Floats:
    """Makes Dirichlet pseudo-counts of the candidates' confusion matrices.

    Args:
        profiles: of the C candidates.
        labels: the K names of the label space.
        support: how well each candidate's source covers the traffic, 0 to 1, shape [C].
        items: in the window.

    Returns:
        all above 0, shape [C, K, K]; row = true class, column = answered class.
    """
    classes = len(labels)
    unknown = (np.ones((classes, classes)) + np.eye(classes)) * _UNKNOWN_ITEMS / (classes + 1)
    prior = np.tile(unknown, (len(profiles), 1, 1))
    for index, profile in enumerate(profiles):
        if profile.validation is None:
            continue
        known = align(profile.validation.confusion, profile.classes, labels).T
        counts = align(known.astype(np.float64), profile.classes, labels).T
        rows = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
        prior[index] += support[index] * VALIDATION_SHARE * items / classes * shares
    return prior
