"""Learning from the target alone: what a transfer has to beat."""

from __future__ import annotations

from functools import partial

from sidecar.performance.process import Process, fit_process, plain
from sidecar.performance.source import prior
from sidecar.performance.task import Learned, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits a process over the options to the target's measurements; the sources are not looked at."""
    return fit_process(task, learned, partial(plain, task), prior(len(task.space.options)))
