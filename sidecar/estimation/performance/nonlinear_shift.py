"""Nonlinear model shift: the target as a smooth function of the source."""

from __future__ import annotations

from functools import partial

import numpy as np

from sidecar.estimation.performance.covariance import Inputs
from sidecar.estimation.performance.process import Process, fit_process, source_feature
from sidecar.estimation.performance.source import prior
from sidecar.estimation.performance.task import Learned, Rows, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits a process over one input, the logarithm of what the sources say together."""
    return fit_process(task, learned, partial(_inputs, task), prior(1))


def _inputs(task: Task, rows: Rows) -> Inputs:
    own = source_feature(task, rows)[:, None]
    groups = np.zeros(1, dtype=np.int64)
    return Inputs(own, groups, np.empty((len(rows), 0)), np.exp(rows.pooled), faulty=False)
