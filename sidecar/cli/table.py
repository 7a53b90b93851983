"""Draws a ranking for people."""

from __future__ import annotations

from collections.abc import Mapping

from pilotfish.v1 import ranking_pb2
from rich.table import Table
from rich.text import Text

_COLOURS = {"OK": "green", "TIED": "yellow", "UNAVAILABLE": "red"}


def state_text(state: ranking_pb2.State.ValueType) -> Text:
    """The state's name in its colour."""
    name = ranking_pb2.State.Name(state).removeprefix("STATE_")
    return Text(name, style=_COLOURS.get(name, "magenta"))


def ranking_table(ranking: ranking_pb2.Ranking, truth: Mapping[str, float] | None = None) -> Table:
    """The ranking, best first; `truth` adds what only labels can tell."""
    title = Text.assemble(
        f"{ranking.endpoint}, round {ranking.round}, {ranking.items} items: ",
        state_text(ranking.state),
        f"  {ranking.reason}",
    )
    table = Table(title=title, title_justify="left", title_style="")
    for name, justify in (("rank", "right"), ("candidate", "left"), ("accuracy", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("90 % interval", "P(best)", "state", "reason"):
        table.add_column(name)
    if truth is not None:
        table.add_column("true accuracy", justify="right")
    for one in ranking.candidates:
        known = one.HasField("accuracy")
        cells: list[str | Text] = [
            str(one.rank) if one.rank else "-",
            f"{one.name} *" if one.incumbent else one.name,
            f"{one.accuracy.value:.3f}" if known else "-",
            f"{one.accuracy.low:.3f} .. {one.accuracy.high:.3f}" if known else "-",
            f"{one.p_best:.2f}" if one.HasField("p_best") else "-",
            state_text(one.state),
            one.reason,
        ]
        if truth is not None:
            cells.append(f"{truth[one.name]:.3f}" if one.name in truth else "-")
        table.add_row(*cells)
    return table
