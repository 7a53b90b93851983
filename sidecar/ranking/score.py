"""How good a ranking was, where labels tell; for the demo, `rank --labels` and benchmarks."""

from __future__ import annotations

import numpy as np

from sidecar.domain.tensors import Floats


def regret(truth: Floats, chosen: int) -> float:
    """What the chosen candidate loses to the best one; truth [candidates] is accuracy, a ratio."""
    return float(truth.max() - truth[chosen])


def spearman(one: Floats, other: Floats) -> float | None:
    """Spearman's rank correlation with average ranks for ties; None where either side is constant.

    Args:
        one: shape [candidates].
        other: shape [candidates].
    """
    ranks = [_average_ranks(values) for values in (one, other)]
    if min(float(np.ptp(values)) if len(values) else 0.0 for values in ranks) == 0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _average_ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
