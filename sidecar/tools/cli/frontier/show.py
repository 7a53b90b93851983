"""Findings as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sidecar.tools.cli.frontier.asked import Asked
from sidecar.tools.cli.frontier.figures import in_digits, in_shares
from sidecar.tools.cli.frontier.findings import Finding, Findings, Mixture

# Models that break a constraint are told of by name so far.
_LEFT_OUT: Final = 5
_WIDEST: Final = 1000


def show(found: Findings, asked: Asked, top: int) -> None:
    """Prints the first models and what else is to be told."""
    # As wide as it has to be: names that are cut off help nobody.
    console = Console(highlight=False, soft_wrap=True, width=_WIDEST)
    first = found.ranked[:top]
    if first:
        console.print(_table(first, tuple(asked.directions)))
    on = sum(one.pareto_rank == 1 for one in found.ranked)
    rest = f", the first {top} above" if top < len(found.ranked) else ""
    console.print(f"{len(found.ranked)} models{rest}; {on} on the frontier", markup=False)
    if found.knee:
        console.print(f"knee of the frontier: {found.knee}", markup=False)
    if found.hypervolume is not None:
        console.print(f"hypervolume above the reference: {found.hypervolume:.6g}", markup=False)
    for one in first:
        if one.mixture is not None:
            console.print(f"{one.name}: {_beaten(one.mixture, asked)}", markup=False)
    for name, reason in list(found.left_out.items())[:_LEFT_OUT]:
        console.print(f"left out: {name}: {reason}", markup=False)
    if len(found.left_out) > _LEFT_OUT:
        console.print(f"left out: {len(found.left_out) - _LEFT_OUT} more", markup=False)


def document(found: Findings, asked: Asked, *, draws: int, seed: int) -> dict[str, Any]:
    """All findings as JSON has them."""
    return {
        "objectives": [
            {"name": name, "direction": "max" if direction > 0 else "min", "weight": weight}
            for (name, direction), weight in zip(asked.directions.items(), asked.value.weights, strict=True)
        ],
        "constraints": [
            {"constraint": str(one), "probability": one.probability} for one in asked.constraints
        ],
        "draws": draws,
        "seed": seed,
        "models": [_model(one) for one in found.ranked],
        "left_out": [{"name": name, "reason": reason} for name, reason in found.left_out.items()],
        "knee": found.knee,
        "hypervolume": found.hypervolume,
    }


def _table(found: Sequence[Finding], objectives: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("model")
    for name in (*objectives, "layer", "P(frontier)", "efficiency", "90 % interval", "P(best)", "regret"):
        table.add_column(name, justify="right")
    for one in found:
        efficiency = one.efficiency
        table.add_row(
            str(one.rank),
            one.name,
            *(in_digits(value) for value in one.values.values()),
            str(one.pareto_rank),
            f"{one.p_nondominated:.2f}",
            f"{efficiency.value:.2f}",
            f"{efficiency.low:.2f} .. {efficiency.high:.2f}",
            f"{one.p_best:.2f}",
            f"{one.expected_regret:.3g}",
        )
    return table


def _beaten(mixture: Mixture, asked: Asked) -> str:
    """Who would beat a model, and by how much."""
    if min(asked.directions.values()) < 0:
        return f"{in_shares(mixture)} would beat it at {mixture.theta:.2f} of what is minimised"
    return f"{in_shares(mixture)} would beat it with {1 / mixture.theta:.2f} times as much of everything"


def _model(one: Finding) -> dict[str, Any]:
    mixture = one.mixture
    return {
        "rank": one.rank,
        "name": one.name,
        "values": one.values,
        "pareto_rank": one.pareto_rank,
        "p_nondominated": one.p_nondominated,
        "efficiency": {
            "value": one.efficiency.value,
            "low": one.efficiency.low,
            "high": one.efficiency.high,
            "level": one.efficiency.level,
        },
        "order_m_efficiency": one.order_m,
        "chance_efficiency": one.chance,
        "hypervolume_contribution": one.contribution,
        "p_best": one.p_best,
        "expected_regret": one.expected_regret,
        "mixture": None if mixture is None else {"theta": mixture.theta, "shares": mixture.shares},
    }
