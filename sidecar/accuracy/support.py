"""How well each candidate's source covers the traffic, and how near it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.domain.evidence import Evidence
from sidecar.domain.tensors import Array, Floats
from sidecar.measures.likeness import beyond_chance
from sidecar.measures.table import measure_all

# With less, next to nothing of the traffic looks like the source: of the source's own partitions
# 95 % do. Useful candidates on benchmark domains have 0.1 to 0.9.
SUPPORTED: Final = 0.05
# With this much, and the means and spreads of its inputs this near, the traffic is like the source, and
# what the source's validation says holds for it. Fresh items of a source's own reach both.
_FITTING: Final = 0.8
_NEAR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Support:
    """What the inputs say of each candidate; C candidates.

    Attributes:
        coverage: share of the traffic that looks like the source, by feature where these are binned;
            None where that is not known.
        distances: moment shift from the source; infinite where that is not known [C].
        validation: agreement with the truth beyond chance on validation data; NaN where that is not
            known [C].
    """

    coverage: tuple[float | None, ...]
    distances: Floats
    validation: Floats

    @property
    def fits(self) -> Array:
        """Whose source the traffic is like, bool [C]; False where that is not known."""
        return np.array([(value or 0.0) >= _FITTING for value in self.coverage]) & (self.distances <= _NEAR)

    @property
    def strange(self) -> Array:
        """Whose source the traffic is not like at all, bool [C]; False where that is not known."""
        return np.array([value is not None and value < SUPPORTED for value in self.coverage])


def support(evidence: Evidence) -> Support:
    """Reads each candidate's support from the measures of the inputs."""
    coverage, distances = [], []
    for found in measure_all(evidence, ("feature_coverage", "coverage", "moment_shift")):
        by_feature, whole, shift = (value.estimate for value in found)
        covered = by_feature or whole
        coverage.append(None if covered is None else covered.value)
        distances.append(np.inf if shift is None else shift.value)
    validations = (None if profile is None else profile.validation for profile in evidence.profiles)
    skills = [np.nan if one is None else _beyond_chance(one.confusion) for one in validations]
    return Support(tuple(coverage), np.array(distances), np.array(skills))


def _beyond_chance(confusion: Array) -> float:
    """Cohen's kappa of the answers with the true classes."""
    shares = confusion / confusion.sum()
    return float(beyond_chance(shares.trace(), shares.sum(axis=0) @ shares.sum(axis=1)))
