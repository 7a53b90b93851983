"""`pilotfish measures`: what is computed for every candidate, from the table that computes it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sidecar.estimation.measures.cost import ROUND_S, SHARE
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.table import MEASURES


def measures() -> None:
    """Lists the measures: name, default, formula, better direction, needs and cost."""
    table = Table(show_edge=False, pad_edge=False)
    for name in ("measure", "default", "formula", "better", "needs", "cost"):
        table.add_column(name, overflow="fold", no_wrap=name == "measure")
    for one in MEASURES:
        better = "high" if one.direction > 0 else "low"
        needs = ", ".join(need.value for need in Need if need in one.requires)
        table.add_row(one.name, "yes" if one.default else "", one.formula, better, needs, str(one.cost))
    console = Console()
    console.print(table)
    console.print(
        "C candidates, n items, K classes, d features, S source and T target partitions, V validation rows.\n"
        f"A default measure that would take over {SHARE:.0%} of a round's {ROUND_S:g} s of processor time is "
        "left out, with the reason, unless `ranking.measures` names it.",
        style="dim",
    )
