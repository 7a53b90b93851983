"""Does P(nondominated), learned on some test sets and machines, hold on others?

Of all pairs of a test set and a machine, each is held out in turn. From the other test sets and machines
every model has a standing in accuracy and in throughput, and it is seen how far standings vary from one
to the next. Nothing of what is held out is used, not even how well models do there on average: who is
nondominated stays the same under any increasing function of an objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.frontier.tables import Published
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.estimation.frontier.random import random_frontier

_DRAWS: Final = 500
# A variance needs two others at least.
_OTHERS: Final = 2
EDGES: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What others tell of an objective elsewhere, in deviations between models.

    Attributes:
        mean: of each model, [models].
        deviation: of what it will be, [models].
    """

    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions for one pair that was held out.

    Attributes:
        test_set: held out.
        machine: held out.
        file: of the machine, whose frontier is the truth.
        truth: bool, [models].
        predicted: probabilities by kind of prediction, [models].
    """

    test_set: str
    machine: str
    file: str
    truth: Array
    predicted: Mapping[str, Floats]


def judge(published: Published, *, parameters: bool, rng: np.random.Generator) -> Iterator[Judged]:
    """Holds out every test set and machine in turn.

    Args:
        published: what is known.
        parameters: whether the number of parameters, which is the same everywhere, is a third objective.
        rng: for the draws.

    Yields:
        a judgement for each file of each machine with each test set; none with too few others.
    """
    directions = (1, 1, -1) if parameters else (1, 1)
    for test_set in published.accuracy:
        others = [name for name in published.accuracy if name != test_set]
        for machine in published.throughput:
            elsewhere = [name for name in published.throughput if name != machine]
            if min(len(others), len(elsewhere)) < _OTHERS:
                continue
            accuracy = _accuracy(published, others)
            throughput = _throughput([published.throughput[name] for name in elsewhere])
            standings = [accuracy, throughput]
            draws = np.stack([_drawn(one, rng) for one in standings], axis=2)
            means = np.stack([one.mean for one in standings], axis=1)
            fixed = np.broadcast_to(published.parameters, draws.shape[:2])[..., None]
            if parameters:
                draws, means = np.concatenate([draws, fixed], axis=2), np.hstack([means, fixed[0]])
            random = random_frontier(draws, directions, 0.9).p_nondominated
            certain = nondominated(means, directions).astype(np.float64)
            for file, rates in published.throughput[machine].items():
                there = np.isfinite(rates)
                points = np.stack([published.accuracy[test_set], rates, published.parameters], axis=1)
                truth = nondominated(points[there][:, : len(directions)], directions)
                # What is known without telling models apart: how many are on the frontier of the means.
                base = np.full(int(there.sum()), certain.mean())
                predicted = {"random": random[there], "deterministic": certain[there], "base rate": base}
                yield Judged(test_set, machine, file, truth, predicted)


def brier(judged: Sequence[Judged], kind: str) -> float:
    """Mean squared error of the probabilities, every held-out pair counting the same."""
    return float(np.mean([((one.predicted[kind] - one.truth) ** 2).mean() for one in judged]))


def calibration(judged: Sequence[Judged], kind: str) -> list[tuple[float, float, int]]:
    """For bins of predictions: mean prediction, share that came true, and how many there were."""
    predicted = np.concatenate([one.predicted[kind] for one in judged])
    truth = np.concatenate([one.truth for one in judged])
    bins = np.clip(np.searchsorted(EDGES, predicted, side="right") - 1, 0, len(EDGES) - 2)
    return [
        (float(predicted[bins == one].mean()), float(truth[bins == one].mean()), int((bins == one).sum()))
        for one in range(len(EDGES) - 1)
        if (bins == one).any()
    ]


def _drawn(standing: Standing, rng: np.random.Generator) -> Floats:
    """Draws [draws, models]; above 0, as efficiencies need it, in the same order."""
    noise = rng.standard_normal((_DRAWS, len(standing.mean)))
    return np.asarray(np.exp(standing.mean + standing.deviation * noise))


def _accuracy(published: Published, sets: Sequence[str]) -> Standing:
    """By logits; what test sets differ in beyond their binomial errors is the same for all models."""
    values = np.array([published.accuracy[name] for name in sets])
    items = np.array([[published.items[name]] for name in sets])
    logits, units = _scaled(np.log(values / (1 - values)))
    binomial = 1 / (items * values * (1 - values)) / units**2
    residual = logits.var(axis=0, ddof=1).mean()
    between = max(residual - binomial.mean(), 0.0)
    # The mean errs as well; the new set is taken to be as large as the others.
    new = between + binomial.mean(axis=0)
    return Standing(logits.mean(axis=0), np.sqrt(new * (1 + 1 / len(sets))))


def _throughput(machines: Sequence[Mapping[str, Floats]]) -> Standing:
    """By logarithms; machines differ, and on one machine the files (versions, memory layouts) do."""
    logs = [np.log(np.array(list(files.values()))) for files in machines]
    centred = [_scaled(one)[0] for one in logs]
    means = np.array([np.nanmean(one, axis=0) for one in centred])
    files = np.concatenate([one - mean for one, mean in zip(centred, means, strict=True)])
    freedom = np.isfinite(files).sum() - np.isfinite(means).sum()
    within = np.nansum(files**2) / freedom if freedom else 0.0
    between = means.var(axis=0, ddof=1).mean()
    deviation = np.sqrt(between * (1 + 1 / len(machines)) + within)
    return Standing(means.mean(axis=0), np.full(means.shape[1], deviation))


def _scaled(rows: Floats) -> tuple[Floats, Floats]:
    """Rows with mean 0 and deviation 1 over the models, and the unit of each."""
    units = np.nanstd(rows, axis=1, keepdims=True)
    return (rows - np.nanmean(rows, axis=1, keepdims=True)) / units, units
