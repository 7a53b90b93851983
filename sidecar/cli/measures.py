"""`pilotfish measures`: what is computed for every candidate, from the table that computes it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sidecar.measures.table import MEASURES


def measures() -> None:
    """Lists the measures: formula, what each needs, which way is better, how its cost grows."""
    table = Table(show_edge=False, pad_edge=False)
    for name in ("measure", "formula", "better", "needs", "cost"):
        table.add_column(name, overflow="fold")
    for one in MEASURES:
        better = "high" if one.direction > 0 else "low"
        table.add_row(one.name, one.formula, better, one.needs, one.cost)
    console = Console()
    console.print(table)
    console.print(
        "C candidates, n items, K classes, d features, S source and T target partitions", style="dim"
    )
