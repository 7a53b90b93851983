"""Compares the models of a table with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.errors import InvalidError
from sidecar.core.preference.constraints import PROBABILITY, probability_kept
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.chance import chance_efficiency
from sidecar.estimation.frontier.dominance import pareto_ranks
from sidecar.estimation.frontier.free_disposal import order_m
from sidecar.estimation.frontier.knee import knee
from sidecar.estimation.frontier.random import random_frontier
from sidecar.tools.cli.frontier.asked import Asked

# Efficiencies this close to 1 are shown as 1.
_EFFICIENT: Final = 1 - 1e-9
# Models that order-m compares with: few enough that one outlier is among them in few draws of a long table.
_DRAWN_MODELS: Final = 25


@dataclass(frozen=True, slots=True)
class Mixture:
    """A split of the traffic that is as good as a model, and its share of the model's costs.

    Attributes:
        theta: the mixture's share of the model's costs; without costs, the model's share of all that the
            mixture gives.
        shares: shares of the traffic, by name, largest first.
    """

    theta: float
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One model that keeps all constraints.

    Attributes:
        rank: rank by expected regret; models with equal regret share it.
        row: row of the table, from 0.
        values: values of the objectives.
        pareto_rank: 1 on the frontier of the values.
        p_nondominated: probability that it is on the frontier.
        efficiency: against single other models.
        order_m: expected efficiency against a few models drawn from the table, which outliers hardly move.
        chance: efficiency against single models that beat it in each objective with a probability.
        contribution: volume that the hypervolume would lose without it; None without a reference.
        p_best: probability that it has the greatest value.
        expected_regret: expected regret in the first objective's unit.
        mixture: mixture that beats it; None on the frontier of mixtures.
    """

    rank: int
    name: str
    row: int
    values: dict[str, float]
    pareto_rank: int
    p_nondominated: float
    efficiency: Estimate
    order_m: float
    chance: float
    contribution: float | None
    p_best: float
    expected_regret: float
    mixture: Mixture | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is found of a table.

    Attributes:
        ranked: models that keep all constraints, best first.
        left_out: the constraint that every other model breaks, by name.
        knee: name of the model at the frontier's knee; None where there is none.
        hypervolume: between the frontier and the reference; None without a reference.
    """

    ranked: tuple[Finding, ...]
    left_out: Mapping[str, str]
    knee: str | None
    hypervolume: float | None


def find(names: Sequence[str], values: Floats, draws: Floats, asked: Asked, level: float) -> Findings:
    """Judges the models.

    Args:
        names: names of the models.
        values: shape [models, measured columns].
        draws: shape [draws, models, measured columns].
        asked: what is compared and preferred.
        level: probability that an interval holds the value.

    Raises:
        InvalidError: scipy or moocore is not installed.
    """
    try:
        from sidecar.estimation.frontier.envelopment import envelopment  # noqa: PLC0415 - it needs an extra
        from sidecar.estimation.frontier.hypervolume import contributions, hypervolume  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"`pilotfish frontier` needs {error.name}, which is not installed: "
            "run `pip install 'pilotfish[frontier]'`"
        ) from error
    broken = _broken(names, draws, asked)
    rows = np.array([row for row, name in enumerate(names) if name not in broken], dtype=np.int64)
    if not rows.size:
        return Findings((), broken, None, None)
    directions = tuple(asked.directions.values())
    points = values[rows, : len(directions)]
    draws = draws[:, rows, : len(directions)]
    frontier = random_frontier(draws, directions, level)
    preferences = asked.value.preferences(draws, directions)
    layers = pareto_ranks(points, directions)
    mixed = envelopment(points, directions, "bcc")
    some = order_m(points, directions, _DRAWN_MODELS)
    surely = chance_efficiency(points, draws.std(axis=0), directions, PROBABILITY)
    reference = np.array([asked.reference[name] for name in asked.directions]) if asked.reference else None
    volume = None if reference is None else hypervolume(points, directions, reference)
    parts = None if reference is None else contributions(points, directions, reference)
    found: list[Finding] = []
    for place in np.argsort(preferences.expected_regret, kind="stable").tolist():
        regret = float(preferences.expected_regret[place])
        beaten = mixed.theta[place] < _EFFICIENT or layers[place] > 1
        shares = {
            names[rows[peer]]: float(weight)
            for peer, weight in zip(mixed.peers[place], mixed.weights[place], strict=True)
            if weight > 0
        }
        found.append(
            Finding(
                rank=found[-1].rank if found and regret == found[-1].expected_regret else len(found) + 1,
                name=names[rows[place]],
                row=int(rows[place]),
                values=dict(zip(asked.directions, points[place].tolist(), strict=True)),
                pareto_rank=int(layers[place]),
                p_nondominated=float(frontier.p_nondominated[place]),
                efficiency=Estimate(
                    float(frontier.efficiency[place]),
                    float(frontier.efficiency_low[place]),
                    float(frontier.efficiency_high[place]),
                    level,
                ),
                order_m=float(some[place]),
                chance=float(surely[place]),
                contribution=None if parts is None else float(parts[place]),
                p_best=float(preferences.p_best[place]),
                expected_regret=regret,
                mixture=Mixture(float(mixed.theta[place]), shares) if beaten else None,
            )
        )
    # Of logarithms, as ratios are what counts here.
    bend = knee(np.log(points), directions)
    return Findings(tuple(found), broken, None if bend is None else names[rows[bend]], volume)


def _broken(names: Sequence[str], draws: Array, asked: Asked) -> dict[str, str]:
    """Why models break constraints, by name."""
    kept = probability_kept(asked.constraints, asked.measured, draws)
    broken: dict[str, str] = {}
    for constraint, probabilities in zip(asked.constraints, kept, strict=True):
        for name, probability in zip(names, probabilities.tolist(), strict=True):
            if probability < constraint.probability and name not in broken:
                wanted = f"{constraint.probability:g} is wanted"
                broken[name] = f"{constraint} holds with probability {probability:.2f}; {wanted}"
    return broken
