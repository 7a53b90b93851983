"""The target as a mixture of the factors in which source environments differ."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs
from sidecar.estimation.performance.process import Process, fit_process
from sidecar.estimation.performance.source import NOISE_SD, SLOPE_SD, prior
from sidecar.estimation.performance.task import Learned, Rows, Task


def fit(task: Task, learned: Learned) -> Process:
    """Fits a slope and the factors' coefficients by ridge regression whose strength is learned.

    A process without options: its linear terms alone, each coefficient as far from 0 as the sources'
    own are.
    """
    before = prior(1)
    # The one option that is left is constant, so its length scale is never learned: hold it.
    before.sd[5:] = NOISE_SD
    return fit_process(task, learned, _inputs, before)


def _inputs(rows: Rows) -> Inputs:
    constant: Floats = np.full((len(rows), 1), 0.5)
    groups = np.zeros(1, dtype=np.int64)
    return Inputs(constant, groups, rows.factors / SLOPE_SD, np.exp(rows.pooled), faulty=False)
