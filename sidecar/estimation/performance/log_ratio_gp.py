"""The logarithm of target over source as a process over the options."""

from __future__ import annotations

from functools import partial

from sidecar.estimation.performance.process import Process, fit_process, transferred, with_source_scales
from sidecar.estimation.performance.source import SLOPE_SD, prior
from sidecar.estimation.performance.task import Learned, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits what is left after the sources: smaller than what options do, over the same length scales."""
    before = with_source_scales(task, prior(len(task.space.options), effects_sd=SLOPE_SD))
    return fit_process(task, learned, partial(transferred, task), before)
