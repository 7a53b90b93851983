"""Learning from the target alone: what a transfer has to beat."""

from __future__ import annotations

from functools import partial

from sidecar.estimation.performance.process import Process, fit_process, plain
from sidecar.estimation.performance.source import prior
from sidecar.estimation.performance.task import Learned, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits a process over the options to the target's measurements; the sources are not looked at."""
    return fit_process(task, learned, partial(plain, task), prior(len(task.space.options)))
