"""What the inputs say of each candidate: is the traffic its source's own, and what left its support?"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt
from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence, TargetStatistics
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.column_shift import ColumnShift, shift_of
from sidecar.estimation.measures.columns import columns_of, outside_support, varying

# With less, most of what the traffic holds was never seen by the source. Natural domains have .35 to 1.
SUPPORTED: Final = 0.5
# How far apart natural domains lie on average, by column shift, and how far a column lies that is gone: what
# a shift is expected to be where there is one.
_DOMAINS_APART: Final = 0.1
_COLUMN_GONE: Final = 0.5
_NOTHING: Final = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True)
class Support:
    """What the inputs say of each candidate; C candidates.

    Attributes:
        inside: share of the traffic's values that the source held too, mean over the columns that vary; None
            where that is not known.
        distances: column shift from the source; infinite where that is not known [C].
        fit: probability that the traffic is drawn as the source was, 0 where that is not known [C].
    """

    inside: tuple[float | None, ...]
    distances: Floats
    fit: Floats

    @property
    def strange(self) -> Array:
        """Whose source holds next to nothing of the traffic, bool [C]; False where that is not known."""
        return np.array([value is not None and value < SUPPORTED for value in self.inside])


def support(evidence: Evidence) -> Support:
    """Compares the window's inputs with each candidate's source."""
    inside: list[float | None] = []
    distances, fits = [], []
    for profile, target in zip(evidence.profiles, evidence.targets, strict=True):
        if profile is None or target is None or not target.items:
            inside.append(None)
            distances.append(np.inf)
            fits.append(0.0)
            continue
        shift = shift_of(profile, target)
        inside.append(_inside(profile, target))
        distances.append(shift.mean)
        fits.append(fit(shift))
    return Support(tuple(inside), np.array(distances), np.array(fits))


def fit(shift: ColumnShift) -> float:
    """Probability that a window was drawn as the source was, by its shift; 0 to 1.

    Either the traffic is the source's own, and the shift is noise, or it comes from elsewhere, and the shift
    is what domains lie apart, exponentially distributed, and noise. Both are as likely beforehand. The column
    that stands out most and the mean over all columns have to agree: one column that is gone is a shift.
    """
    return min(
        _own(shift.mean, shift.noise, _DOMAINS_APART),
        _own(shift.farthest, shift.farthest_noise, _COLUMN_GONE),
    )


def _own(value: float, noise: float, apart: float) -> float:
    """Bayes' rule for one value with normal noise, where a shift is expected to be as large as `apart`."""
    noise = max(noise, _NOTHING)
    own = -0.5 * (value / noise) ** 2 - log(noise * sqrt(2 * pi)) if abs(value) < noise * 1e3 else -np.inf
    room = value / noise - noise / apart
    below = max(0.5 * erfc(-room / sqrt(2)), _NOTHING)
    elsewhere = -log(apart) - value / apart + noise**2 / (2 * apart**2) + log(below)
    return 1 / (1 + exp(min(elsewhere - own, 700.0)))


def _inside(profile: SourceProfile, target: TargetStatistics) -> float:
    """Share of the live values that the source held too, over columns that vary in window or source."""
    outside = outside_support(profile, target)
    if len(target.histogram):
        counted = varying(columns_of(profile), target.histogram, profile.feature_counts.sum(axis=0))
    else:
        counted = np.ones(len(outside), dtype=bool)
    # A constant column that moved as a whole falls into one bin on both sides, and is outside.
    counted |= outside > 0
    return float(1 - outside[counted].mean()) if counted.any() else 1.0
