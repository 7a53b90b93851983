"""The table of strategies: ways to get from sources and a few measurements to a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sidecar.estimation.performance import (
    direct,
    guided,
    latent_factors,
    linear_shift,
    log_ratio_gp,
    log_ratio_source_gp,
    nonlinear_shift,
    regressors,
    scratch_gp,
    source_scales,
)
from sidecar.estimation.performance.task import Fitted, Learned, Task

CHOOSER: Final = "chooser"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to get from a task to a model.

    Attributes:
        name: its name in tables and files.
        reference: publication that describes it.
        fit: fits it to a task, given the arrays that an earlier fit of the same task learned (or none).
        sources: least number of sources.
        rows: least number of measurements in the target.
        trust: weight in the chooser before anything is measured, relative to the other strategies; 0 keeps
            it out of the chooser.
    """

    name: str
    reference: str
    fit: Callable[[Task, Learned], Fitted]
    sources: int
    rows: int
    trust: float = 0.0

    def fits(self, task: Task) -> bool:
        """Whether the task has what it needs."""
        return len(task.pool.sources) >= self.sources and len(task.values) >= self.rows


_PAPER: Final = "arXiv 1904.02838"
_ALONE: Final = f"{_PAPER}, the target alone"
# The chooser considers processes only, whose own deviations differ from row to row. It trusts most in
# those that hold the others as special cases: a transfer whose errors may depend on any option.
_MOST_TRUST: Final = 4.0

STRATEGIES: Final = {
    strategy.name: strategy
    for strategy in (
        Strategy("scratch", _ALONE, partial(regressors.fit, "boosting"), sources=0, rows=2),
        Strategy("scratch_tree", _ALONE, partial(regressors.fit, "tree"), sources=0, rows=2),
        Strategy("scratch_forest", _ALONE, partial(regressors.fit, "forest"), sources=0, rows=2),
        Strategy("scratch_svr", _ALONE, partial(regressors.fit, "svr"), sources=0, rows=2),
        Strategy("scratch_mlp", _ALONE, partial(regressors.fit, "mlp"), sources=0, rows=2),
        Strategy("direct", _PAPER, direct.fit, sources=1, rows=0),
        Strategy("linear_shift", _PAPER, linear_shift.fit, sources=1, rows=1),
        Strategy("nonlinear_shift", _PAPER, nonlinear_shift.fit, sources=1, rows=1),
        Strategy("guided", _PAPER, guided.fit, sources=1, rows=3),
        Strategy("scratch_gp", "own", scratch_gp.fit, sources=0, rows=2, trust=1.0),
        Strategy("source_scales", "own", source_scales.fit, sources=1, rows=2, trust=1.0),
        Strategy("latent_factors", "own", latent_factors.fit, sources=1, rows=0, trust=1.0),
        Strategy("log_ratio_gp", "own", log_ratio_gp.fit, sources=1, rows=0, trust=_MOST_TRUST),
        Strategy("log_ratio_source_gp", "own", log_ratio_source_gp.fit, sources=1, rows=0, trust=_MOST_TRUST),
    )
}
