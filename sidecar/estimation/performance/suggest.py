"""Chooses configurations to measure next, and the configuration to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.model import PerformanceModel
from sidecar.estimation.performance.space import Space, Value

# Configurations that are looked at, where the space has more.
_LOOKED_AT: Final = 4096
# Two configurations this close, in the space's features (1: one option all the way), tell much the same.
_ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Bound:
    """A metric of a chosen configuration with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A configuration that meets the constraints at least cost.

    Attributes:
        configuration: values by option.
        metrics: what each model predicts of it, by metric.
    """

    configuration: dict[str, Value]
    metrics: dict[str, Bound]


def next_to_measure(model: PerformanceModel, count: int, rng: np.random.Generator) -> Floats:
    """Chooses configurations where the model knows least, and not all in one place.

    Each choice takes the greatest deviation of the logarithm, after what choices nearby will teach was
    taken off.

    Args:
        model: model of the metric that matters.
        count: number of configurations.
        rng: draws candidates where the space is large.

    Returns:
        codes, shape [rows, options], most worth measuring first; fewer than `count` rows where everything
        else is measured.
    """
    space = model.space
    codes = space.draw(_LOOKED_AT, rng)
    measured = {row.tobytes() for row in model.task.measured.codes}
    codes = codes[[row.tobytes() not in measured for row in codes]]
    if not len(codes):
        return codes
    worth = model.log_prediction(codes)[1]
    features = space.features(codes)
    chosen: list[int] = []
    for _ in range(min(count, len(codes))):
        place = int(worth.argmax())
        chosen.append(place)
        distance = ((features - features[place]) ** 2).sum(axis=1)
        worth = worth * (1.0 - np.exp(-0.5 * distance / _ALIKE**2))
        worth[chosen] = -1.0
    return codes[chosen]


def cheapest(
    models: Mapping[str, PerformanceModel],
    minimise: str,
    at_most: Mapping[str, float],
    rng: np.random.Generator,
) -> Choice | str:
    """Finds the configuration of least predicted cost whose limits hold with their whole interval.

    Args:
        models: models of the same environment, by metric.
        minimise: the metric that is the cost.
        at_most: the greatest allowed value of other metrics, in their units.
        rng: draws candidates where the space is large.

    Returns:
        the choice, or why there is none.

    Raises:
        InvalidError: a metric has no model, or the models are over different options.
    """
    for metric in (minimise, *at_most):
        if metric not in models:
            raise InvalidError(f"there is no model of {metric!r}: use one of {', '.join(models)}, or fit one")
    space = models[minimise].space
    if any(models[metric].space != space for metric in at_most):
        raise InvalidError("the models are over different options: fit them to the same table")
    codes = space.draw(_LOOKED_AT, rng)
    predictions = {metric: models[metric].predict(codes) for metric in {minimise, *at_most}}
    excess = np.ones(len(codes))
    for metric, limit in at_most.items():
        excess = np.maximum(excess, predictions[metric].high / limit)
    allowed = excess <= 1.0
    if not allowed.any():
        nearest = int(excess.argmin())
        place = _named(space, codes[nearest])
        worst = max(at_most, key=lambda metric: float(predictions[metric].high[nearest] / at_most[metric]))
        reached = float(predictions[worst].high[nearest])
        return (
            f"none of {len(codes)} configurations keeps all limits with 90 % certainty; the nearest is "
            f"{place}, whose {worst} may reach {reached:.4g} (limit {at_most[worst]:.4g})"
        )
    cost = np.where(allowed, predictions[minimise].value, np.inf)
    best = int(cost.argmin())
    return Choice(
        space.configuration(codes[best]),
        {
            metric: Bound(float(found.value[best]), float(found.low[best]), float(found.high[best]))
            for metric, found in predictions.items()
        },
    )


def _named(space: Space, codes: Floats) -> str:
    return ", ".join(f"{name} {value}" for name, value in space.configuration(codes).items())
