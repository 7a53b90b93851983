"""Shift: how far the window's mean lies from the source's, in the source's standard deviations."""

from __future__ import annotations

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Floats
from sidecar.estimation.measures.interval import LEVEL, Z
from sidecar.estimation.measures.scale import deviations


def standardised_shift(means: Floats, source_mean: Floats, source_variance: Floats) -> Floats:
    """Takes the root mean square over features of how far means lie from the source's.

    Args:
        means: finite, shape [..., d].
        source_mean: [d].
        source_variance: [d].

    Returns:
        in standard deviations of the source, see `sidecar.estimation.measures.scale`; shape of the
        leading axes.
    """
    apart = (means - source_mean) / deviations(source_variance)
    return np.asarray(np.sqrt((apart**2).mean(axis=-1)))


def shift(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the standardised shift of the window's mean, less what sampling noise alone makes of it.

    The square of a noisy distance is too large by the variance of both means, on average over
    samples; it takes the source's variance for the window's too. The interval bounds the error of
    both means whatever the correlation of features, as |x + e| differs from |x| by at most |e|.

    Returns:
        value of each candidate in standard deviations of the source; 0 where noise explains all.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        seen = float(standardised_shift(target.mean, profile.mean, profile.variance))
        shares = profile.variance / deviations(profile.variance) ** 2
        noise = float(shares.mean()) * (1 / target.items + 1 / profile.rows)
        half = Z * noise**0.5
        value = max(seen**2 - noise, 0.0) ** 0.5
        answers.append(Estimate(value, max(seen - half, 0.0), seen + half, LEVEL))
    return tuple(answers)
