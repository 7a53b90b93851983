"""How likely measured rows are under hyperparameters of a Gaussian process, and the slope of that likelihood.

References:
    Rasmussen & Williams 2006, section 5.4.1.
"""

from __future__ import annotations

import numpy as np

from sidecar.core.tensors import Floats
from sidecar.estimation.performance.covariance import (
    JITTER,
    Inputs,
    Reference,
    Side,
    add_diagonal,
    covariance,
    interactions,
    noise_variance,
    shifted,
)
from sidecar.estimation.performance.hyperparameters import FIXED, Hyperparameters


def evidence(
    hyper: Hyperparameters, inputs: Inputs, values: Floats, reference: Reference, sound: Floats
) -> Floats:
    """Logarithm of the likelihood of each draw up to a constant, shape [draws].

    Args:
        hyper: the draws.
        inputs: inputs of the measured rows.
        values: logarithms of the metric, shape [rows].
        reference: what a shift of the source is relative to.
        sound: probability that a row is no fault, shape [rows], or [1] for all.
    """
    rows = len(values)
    side = Side.of(hyper, inputs, reference)
    residual = values - side.mean
    # One factorisation gives both parts: the last row of the bordered matrix's factor is the solution.
    bordered = np.zeros((len(hyper), rows + 1, rows + 1))
    bordered[:, :rows, :rows] = covariance(hyper, side, side)
    noise = noise_variance(hyper, sound)
    add_diagonal(bordered[:, :rows, :rows], noise + JITTER)
    bordered[:, rows, :rows] = residual
    # This is large enough to keep the corner positive whatever the solution is.
    bordered[:, rows, rows] = 1.0 + (residual**2 / (noise + JITTER)).sum(axis=1)
    factor = np.linalg.cholesky(bordered)
    diagonal = np.einsum("dii->di", factor)[:, :rows]
    found: Floats = -0.5 * (factor[:, rows, :rows] ** 2).sum(axis=1) - np.log(diagonal).sum(axis=1)
    return found


def evidence_and_slope(
    hyper: Hyperparameters, inputs: Inputs, values: Floats, reference: Reference, sound: Floats
) -> tuple[float, Floats]:
    """`evidence` of one draw, and its slope over the hyperparameters, shape [5 + options]."""
    side = Side.of(hyper, inputs, reference)
    features, linear = side.features, float(hyper.linear[0])
    noisy = covariance(hyper, side, side)
    noise = np.broadcast_to(noise_variance(hyper, sound), (1, len(values)))
    add_diagonal(noisy, noise + JITTER)
    residual = values - side.mean[0]
    factor = np.linalg.cholesky(noisy[0])
    inverse_factor = np.linalg.inv(factor)
    inverse = inverse_factor.T @ inverse_factor
    solution = inverse @ residual
    found = -0.5 * float(residual @ solution) - float(np.log(np.diag(factor)).sum())
    # The evidence's slope is half the sum of the products of this matrix with the covariance's slope.
    pulls = np.outer(solution, solution) - inverse
    interacting = pulls * interactions(hyper, side, side)[0]
    main = 0.5 * hyper.main[0] * (features * (pulls @ features)).sum(axis=0)
    terms = np.concatenate([side.source[0][:, None], inputs.terms], axis=1)
    both = float(interacting.sum())
    slope = np.empty(hyper.draws.shape[1])
    slope[0] = both + 2.0 * main.sum()
    slope[1] = np.diag(pulls) @ (noise**2 * sound / hyper.noise)[0]
    slope[2] = hyper.slope[0] * ((pulls @ terms) * terms).sum()
    slope[3] = _shift_slope(hyper, inputs, reference) @ (solution + hyper.slope[0] * (pulls @ side.source[0]))
    slope[4] = (1.0 - linear) * main.sum() - 0.5 * linear * both
    apart = (features**2).T @ interacting.sum(axis=1) - (features * (interacting @ features)).sum(axis=0)
    share = np.exp(-hyper.draws[0, FIXED:])
    slope[FIXED:] = share / share.sum() * main.sum()
    np.add.at(slope[FIXED:], inputs.groups, hyper.relevance[0] * apart - main)
    return found, slope


def _shift_slope(hyper: Hyperparameters, inputs: Inputs, reference: Reference) -> Floats:
    """Slope of the shifted source's logarithm over u, by central differences; shape [rows]."""
    if inputs.source is None:
        return np.zeros(len(inputs))
    # The error is of the order of the step's square.
    step = 1e-4
    near = np.repeat(hyper.draws, 2, axis=0)
    near[:, 3] += (step, -step)
    above, below = shifted(Hyperparameters(near, hyper.groups), inputs.source, reference)
    slope: Floats = (above - below) / (2.0 * step)
    return slope
