"""How good a ranking was, where labels tell; for the demo, `rank --labels` and benchmarks."""

from __future__ import annotations

from sidecar.core.tensors import Floats


def regret(truth: Floats, chosen: int) -> float:
    """What the chosen candidate loses to the best one; truth [candidates] is accuracy, a ratio."""
    return float(truth.max() - truth[chosen])
