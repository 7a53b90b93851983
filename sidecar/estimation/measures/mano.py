"""MaNo: how far the logits lie from undecided, after a normalisation that the window chooses."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array
from sidecar.estimation.measures.interval import mean_estimate

# The paper's, for all of its experiments: over it the answers are sure, and the softmax is kept.
_CRITERION = 5.0
# Smaller probabilities read as this one: a model that says 0 has no finite logit.
_LEAST = 1e-12
# Taken as the square's square: a power by a loop over logarithms costs ten times as much.
_ORDER = 4


def matrix_norm(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes (mean sigma(z)^4)^(1/4) over items and classes.

    sigma is the softmax where the mean of -ln p over items and classes is above 5, otherwise
    1 + z + z^2 / 2, normalised. Logits are known up to a number an item only, so z = ln p with mean
    0 stands for them; a class that a candidate never gives a chance is none of its classes. For two
    classes the second branch falls again beyond z = 1.4.

    Returns:
        value 0 to 1 of each candidate.

    References:
        Xie et al. 2024.
    """
    answers = []
    for shares in evidence.probabilities:
        given = shares.any(axis=0)
        squares = np.square(_normalised(shares if given.all() else shares[:, given]))
        scores = np.square(squares, out=squares).mean(axis=1, dtype=np.float64)
        value = scores.mean() ** (1 / _ORDER)
        # The interval is that of the mean fourth power, by the delta method.
        linear = value + (scores - scores.mean()) / (_ORDER * value ** (_ORDER - 1))
        answers.append(mean_estimate(linear, (0, 1)))
    return tuple(answers)


def _normalised(shares: Array) -> Array:
    logits = np.log(np.maximum(shares, _LEAST))
    if -logits.mean(dtype=np.float64) > _CRITERION:
        return shares
    logits -= logits.mean(axis=1, keepdims=True)
    series = np.square(logits)
    series /= 2
    series += logits
    series += 1
    series /= series.sum(axis=1, keepdims=True)
    return series
