"""Combines strategies, weighted by how well they predict measurements that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.faults import log_density
from sidecar.estimation.performance.task import Fitted, Learned, LogPrediction, Rows

# Members with less weight are dropped: they change an answer by less than its uncertainty, and each one
# costs as much time as the best.
_LEAST_WEIGHT: Final = 0.05
_ROUNDING: Final = 1e-6
_SEPARATOR: Final = "/"
# What is believed before counts as so many measurements.
_TRUST_ROWS: Final = 10.0
# Steps of expectation maximisation; the prior makes it converge in far fewer.
_STEPS: Final = 100


@dataclass(frozen=True)
class Chooser:
    """Fitted strategies and how much each counts.

    Attributes:
        members: fitted strategies, by name.
        weights: weights of the members, by name, sum 1.
    """

    members: Mapping[str, Fitted]
    weights: Mapping[str, float]

    @property
    def learned(self) -> Learned:
        """The weights, and what the members learned."""
        own = {_SEPARATOR + name: np.array([weight]) for name, weight in self.weights.items()}
        return own | {
            name + _SEPARATOR + key: array
            for name, member in self.members.items()
            for key, array in member.learned.items()
        }

    @cached_property
    def held_out(self) -> LogPrediction:
        """Each measured row predicted without itself, but for the weights."""
        return self._combined({name: member.held_out for name, member in self.members.items()})

    def predict(self, rows: Rows) -> LogPrediction:
        """Predicts measurements."""
        return self._combined({name: member.predict(rows) for name, member in self.members.items()})

    def _combined(self, parts: Mapping[str, LogPrediction]) -> LogPrediction:
        means = np.stack([mean for mean, _ in parts.values()])
        sds = np.stack([sd for _, sd in parts.values()])
        precisions = np.array([[self.weights[name]] for name in parts]) / sds**2
        total = precisions.sum(axis=0)
        mean = (precisions * means).sum(axis=0) / total
        # Members learned from the same rows: agreement makes none of them surer, disagreement does harm.
        apart = (precisions * (means - mean) ** 2).sum(axis=0) / total
        return mean, np.sqrt(1.0 / total + apart)


def choose(fitted: Mapping[str, Fitted], trust: Mapping[str, float], values: Floats) -> Chooser:
    """Weighs fitted strategies by how well they predict what they were not shown.

    The weights maximise the held-out likelihood of the weighted strategies, starting from and drawn
    towards `trust` as if so many rows more had been seen. Predictions are pooled on the scale of
    logarithms of densities, so that a member that is unsure in a configuration says little there. A row
    that is a fault of measuring speaks against no member.

    Args:
        fitted: fitted strategies, by name; at least one.
        trust: in each before anything is measured, above 0, the same names.
        values: logarithms of the target's measurements, shape [rows].

    References:
        Yao, Vehtari, Simpson & Gelman 2018 (stacking of predictive distributions), with a Dirichlet prior.
    """
    prior = np.array([trust[name] for name in fitted])
    prior /= prior.sum()
    weights = prior
    if len(values):
        held_out = [member.held_out for member in fitted.values()]
        logs = np.stack([log_density(values - mean, sd**2) for mean, sd in held_out], axis=1)
        densities = np.exp(logs - logs.max(axis=1, keepdims=True))
        for _ in range(_STEPS):
            shares = weights * densities
            shares /= shares.sum(axis=1, keepdims=True)
            weights = (shares.sum(axis=0) + _TRUST_ROWS * prior) / (len(values) + _TRUST_ROWS)
    kept = {
        name: float(weight) for name, weight in zip(fitted, weights, strict=True) if weight >= _LEAST_WEIGHT
    }
    total = sum(kept.values())
    members = {name: fitted[name] for name in kept}
    return Chooser(members, {name: weight / total for name, weight in kept.items()})


def split(learned: Learned) -> tuple[dict[str, float], dict[str, dict[str, Floats]]]:
    """Takes `Chooser.learned` apart into weights and what each member learned.

    Raises:
        InvalidError: there are no weights that sum to 1.
    """
    weights: dict[str, float] = {}
    members: dict[str, dict[str, Floats]] = {}
    for key, array in learned.items():
        name, _, part = key.partition(_SEPARATOR)
        if name:
            members.setdefault(name, {})[part] = array
        else:
            weights[part] = float(array.sum())
    if min(weights.values(), default=0.0) <= 0 or abs(sum(weights.values()) - 1.0) > _ROUNDING:
        raise InvalidError("the chooser's weights do not sum to 1: fit it again")
    return weights, members
