"""How well each candidate's source covers the traffic, and how near it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.likeness import beyond_chance, pool_beyond_chance
from sidecar.estimation.measures.table import measure_all

# With less, next to nothing of the traffic looks like the source: of the source's own partitions
# 95 % do. Useful candidates on benchmark domains have 0.1 to 0.9.
SUPPORTED: Final = 0.05
# With this much, and the means and spreads of its inputs this near, the traffic is like the source, and
# what the source's validation says holds for it. Fresh items of a source's own reach both.
_FITTING: Final = 0.8
_NEAR: Final = 0.5
# Candidates for one thing agree at least this much more than their skills alone would make them.
_SHARED: Final = 0.25


@dataclass(frozen=True, slots=True)
class Support:
    """What the inputs say of each candidate; C candidates.

    Attributes:
        coverage: share of the traffic that looks like the source, by feature where these are binned;
            None where that is not known.
        distances: moment shift from the source; infinite where that is not known [C].
        validation: agreement with the truth beyond chance on validation data; NaN where that is not
            known [C].
        trust: how far the validations of those that the traffic is like are borne out, 0 to 1.
    """

    coverage: tuple[float | None, ...]
    distances: Floats
    validation: Floats
    trust: float = 1.0

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
    known = Support(tuple(coverage), np.array(distances), np.array(skills))
    fitting = np.flatnonzero(known.fits & np.isfinite(known.validation))
    if len(fitting) < 2:  # noqa: PLR2004 - a single one, which nothing can contradict
        return known
    votes = evidence.votes[fitting]
    return replace(known, trust=_trust(votes, known.validation[fitting], len(evidence.labels)))


def _trust(votes: Array, skills: Floats, classes: int) -> float:
    """How far candidates that should be as good as on their validation data are borne out by each other.

    Even if their errors had nothing to do with each other, two of them would agree beyond chance in the
    product of their skills; errors of models that were made for one thing are shared. Where they agree
    no more than that, their validation does not hold here: other classes, or other right answers.

    Args:
        votes: of those candidates, at least two [F, n].
        skills: agreement with the truth beyond chance [F].
        classes: K.

    Returns:
        0 to 1.
    """
    independent = np.outer(skills, skills)[np.triu_indices(len(skills), 1)].mean()
    if independent <= 0:
        return 0.0
    excess = pool_beyond_chance(votes, classes) / independent - 1
    return float(np.clip(excess / _SHARED, 0, 1))


def _beyond_chance(confusion: Array) -> float:
    """Cohen's kappa of the answers with the true classes."""
    shares = confusion / confusion.sum()
    return float(beyond_chance(shares.trace(), shares.sum(axis=0) @ shares.sum(axis=1)))
