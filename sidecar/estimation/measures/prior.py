"""What is known of a candidate's errors before it sees this traffic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.core.labels import align
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Floats

# What an unknown candidate brings to each class: this many pseudo-items, the right answer twice as
# likely as any other. Enough to say that a vote for a class speaks for it, too little to let a
# majority of unknowns lead the first guess.
_UNKNOWN_ITEMS = 1.0


def confusion_prior(
    profiles: Sequence[SourceProfile | None], labels: Sequence[str], shares: Floats, items: int
) -> Floats:
    """Makes Dirichlet pseudo-counts of the candidates' confusion matrices.

    Args:
        profiles: profiles of the C candidates; None for a candidate without a profile.
        labels: the K names of the label space.
        shares: the weight of each candidate's validation, as a share of the window's items; [C].
        items: in the window.

    Returns:
        all above 0, shape [C, K, K]; row = true class, column = answered class.
    """
    classes = len(labels)
    unknown = (np.ones((classes, classes)) + np.eye(classes)) * _UNKNOWN_ITEMS / (classes + 1)
    prior = np.tile(unknown, (len(profiles), 1, 1))
    for index, profile in enumerate(profiles):
        counts = validated_confusion(profile, labels)
        prior[index] += shares[index] * items / classes * counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    return prior


def validated_confusion(profile: SourceProfile | None, labels: Sequence[str]) -> Floats:
    """Moves a candidate's validation confusion into a label space.

    Returns:
        counts [K, K]; 0 for classes without validation rows.
    """
    if profile is None or profile.validation is None:
        return np.zeros((len(labels), len(labels)))
    columns = align(profile.validation.confusion.astype(np.float64), profile.classes, labels)
    return np.asarray(align(columns.T, profile.classes, labels).T)
