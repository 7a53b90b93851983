"""Learning from the target, with options taken to matter as they do in the sources."""

from __future__ import annotations

from functools import partial

import numpy as np

from sidecar.estimation.performance.process import Process, fit_process, plain, with_source_scales
from sidecar.estimation.performance.source import prior
from sidecar.estimation.performance.task import Learned, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits a process over the options whose amplitude, noise and length scales are near the sources'."""
    found = with_source_scales(task, prior(len(task.space.options)))
    for place in (0, 1, 4):
        found.mean[place] = np.mean([source.weights @ source.draws[:, place] for source in task.pool.sources])
    return fit_process(task, learned, partial(plain, task), found)
