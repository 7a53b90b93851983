"""How well each candidate's source covers the traffic."""

from __future__ import annotations

from typing import Final

import numpy as np

from sidecar.accuracy.nearness import distances
from sidecar.domain.evidence import Evidence
from sidecar.domain.tensors import Array
from sidecar.measures.table import measure_all

# With less, next to nothing of the traffic looks like the source: of the source's own partitions
# 95 % do. Useful candidates on benchmark domains have 0.1 to 0.9.
SUPPORTED: Final = 0.05
# With this much, and the means and spreads of its inputs this near, the traffic is like the source, and
# what the source's validation says holds for it. Fresh items of a source's own reach both.
_FITTING: Final = 0.8
_NEAR: Final = 0.5
_VIEWS: Final = ("feature_coverage", "coverage")


def supports(evidence: Evidence) -> tuple[float | None, ...]:
    """Takes each candidate's support: its feature coverage, or else its coverage.

    Returns:
        0 to 1 of each candidate; None where neither is known.
    """
    return tuple(
        next((view.estimate.value for view in views if view.estimate is not None), None)
        for views in measure_all(evidence, _VIEWS)
    )


def fits(evidence: Evidence) -> Array:
    """Tells whose source the traffic is like, bool [C]; False where that is not known."""
    support = np.array([value or 0.0 for value in supports(evidence)])
    return (support >= _FITTING) & (distances(evidence) <= _NEAR)
