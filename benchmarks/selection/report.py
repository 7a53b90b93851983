"""The figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

from benchmarks.selection.summary import Bar
from benchmarks.selection.window import NAMES

_COLUMNS = (
    "targets",
    "coverage",
    "width",
    "mae",
    "regret",
    "spearman",
    "ok",
    "ok_kept",
    "kept_ok",
    "regret_ok",
    "regret_not_ok",
    "among_three",
)


def tables(kinds: Mapping[str, Any], bars: Sequence[Bar]) -> Group:
    """The default ranking by kind, every measure beside it, and the bars."""
    return Group(
        _default(kinds),
        _by_measure(kinds, "regret", "Mean top-1 regret"),
        _by_measure(kinds, "spearman", "Spearman"),
        _by_measure(kinds, "mae", "Error of the estimated accuracy"),
        _states(kinds),
        _bars(bars),
    )


def _default(kinds: Mapping[str, Any]) -> Table:
    table = _table("The default ranking", "kind", *(name.replace("_", " ") for name in _COLUMNS))
    for kind, one in kinds.items():
        table.add_row(kind, *(_text(one[name]) for name in _COLUMNS))
    return table


def _by_measure(kinds: Mapping[str, Any], key: str, title: str) -> Table:
    table = _table(title, "measure", *kinds)
    table.add_row("default", *(_text(one[key]) for one in kinds.values()), style="bold")
    for name in NAMES:
        cells = [one["measures"][name][key] for one in kinds.values()]
        if any(cell is not None for cell in cells):
            table.add_row(name, *map(_text, cells))
    return table


def _states(kinds: Mapping[str, Any]) -> Table:
    states = sorted({state for one in kinds.values() for state in one["states"]})
    table = _table("Its states", "kind", "sources", *states)
    for kind, one in kinds.items():
        table.add_row(kind, str(one["sources"]), *(str(one["states"].get(state, 0)) for state in states))
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
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"
