"""The logarithm of target over source as a process over the options and the source's own value."""

from __future__ import annotations

from functools import partial

from sidecar.estimation.performance.process import Process, beside_source, fit_process, with_source_scales
from sidecar.estimation.performance.source import SLOPE_SD, prior
from sidecar.estimation.performance.task import Learned, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits as `log_ratio_gp`; where two environments saturate differently, the error follows the value."""
    before = with_source_scales(task, prior(len(task.space.options) + 1, effects_sd=SLOPE_SD))
    return fit_process(task, learned, partial(beside_source, task), before)
