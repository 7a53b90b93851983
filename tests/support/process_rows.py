"""Rows of a small Gaussian process, and its covariance written out pair by pair."""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import Inputs, Reference
from sidecar.estimation.performance.source import prior

REFERENCE = Reference(0.5, 1.5)
OPTIONS = 3
OFFSET = np.log(10.0) ** 2


def inputs(rows: int, seed: int, *, source: bool = True, faulty: bool = False) -> Inputs:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.5, 3.0, rows) if source else None
    return Inputs(rng.random((rows, 4)), np.array([0, 1, 1, 2]), rng.normal(size=(rows, 2)), values, faulty)


def drawn(seed: int, draws: int = 1) -> Floats:
    before = prior(OPTIONS)
    return before.mean + 0.3 * np.random.default_rng(seed).normal(size=(draws, len(before.mean)))


def written_out(theta: Floats, one: Inputs, other: Inputs) -> Floats:
    """The covariance term by term, pair by pair."""
    amplitude, noise, slope = np.exp(2 * theta[:3])
    share, scales = 1 / (1 + np.exp(-theta[4])), np.exp(theta[5:])
    del noise
    weights = (1 / scales) / (1 / scales).sum()
    found = np.empty((len(one), len(other)))
    for i in range(len(one)):
        for j in range(len(other)):
            product, linear = 1.0, 0.0
            for option in range(OPTIONS):
                x = one.features[i, one.groups == option] - 0.5
                y = other.features[j, other.groups == option] - 0.5
                product *= np.exp(-0.5 * ((x - y) ** 2).sum() / scales[option] ** 2)
                linear += weights[option] * (x @ y)
            found[i, j] = OFFSET + amplitude * ((1 - share) * product + share * linear)
            found[i, j] += slope * (one.terms[i] @ other.terms[j])
            if one.source is not None and other.source is not None:
                found[i, j] += slope * (centred(theta, one.source[i]) * centred(theta, other.source[j]))
    return found


def shifted(theta: Floats, source: float) -> float:
    move = float(np.tanh(theta[3]))
    if move < 0:
        return float(np.log(source + 0.98 * move * REFERENCE.least))
    return float(np.log(source + REFERENCE.mean * move / (1 - move)))


def centred(theta: Floats, source: float) -> float:
    return shifted(theta, source) - float(np.log(REFERENCE.mean))
