"""The figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

from benchmarks.selection.summary import Bar
from sidecar.estimation.measures.table import MEASURES

_COLUMNS = ("pearson", "spearman", "regret", "hits", "mae", "coverage", "width", "abstained", "regret_ok")


def tables(figures: Mapping[str, Any], bars: Sequence[Bar]) -> Group:
    """Spearman and regret of every measure by workload, the default ranking in detail, and the bars."""
    return Group(
        _by_measure(figures, "spearman", "Spearman"),
        _by_measure(figures, "regret", "Mean top-1 regret"),
        _default(figures),
        _states(figures),
        _bars(bars),
    )


def _by_measure(figures: Mapping[str, Any], key: str, title: str) -> Table:
    table = _table(title, "measure", *figures)
    table.add_row("default", *(_text(one["default"][key]) for one in figures.values()), style="bold")
    for measure in MEASURES:
        cells = (_text(one["measures"][measure.name][key]) for one in figures.values())
        table.add_row(measure.name, *cells)
    return table


def _default(figures: Mapping[str, Any]) -> Table:
    table = _table("The default ranking", "workload", *(name.replace("_", " ") for name in _COLUMNS))
    for workload, one in figures.items():
        table.add_row(workload, *(_text(one["default"][name]) for name in _COLUMNS))
    return table


def _states(figures: Mapping[str, Any]) -> Table:
    states = sorted({state for one in figures.values() for state in one["default"]["states"]})
    table = _table("Its states", "workload", "targets", "candidates", *states)
    for workload, one in figures.items():
        counts = (one["default"]["states"].get(state, 0) for state in states)
        table.add_row(workload, *map(str, (one["targets"], one["candidates"], *counts)))
    return table


def _bars(bars: Sequence[Bar]) -> Table:
    table = _table("Bars", "bar", "value")
    table.add_column("wanted")
    table.add_column("")
    for bar in bars:
        met = "not known" if bar.met is None else "met" if bar.met else "missed"
        table.add_row(bar.name, _text(bar.value), bar.wanted, met)
    return table


def _table(title: str, first: str, *columns: str) -> Table:
    """A table of a name and numbers, narrow enough for a terminal."""
    table = Table(first, title=f"\n{title}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
