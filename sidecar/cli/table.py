"""Draws a ranking for people."""

from __future__ import annotations

from collections.abc import Mapping

from pilotfish.v1 import ranking_pb2
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

_COLOURS = {"OK": "green", "TIED": "yellow", "UNAVAILABLE": "red"}

_COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("rank", "right"),
    ("candidate", "left"),
    ("accuracy", "right"),
    ("90 % interval", "left"),
    ("P(best)", "right"),
    ("state", "left"),
)


def state_text(state: ranking_pb2.State.ValueType) -> Text:
    """The state's name in its colour."""
    name = ranking_pb2.State.Name(state).removeprefix("STATE_")
    return Text(name, style=_COLOURS.get(name, "magenta"))


def ranking_table(ranking: ranking_pb2.Ranking, truth: Mapping[str, float] | None = None) -> Group:
    """The ranking, best first, with the reasons below; `truth` adds what only labels can tell."""
    table = Table(show_edge=False, pad_edge=False)
    for name, justify in _COLUMNS:
        table.add_column(name, justify=justify, no_wrap=name != "candidate", overflow="fold")
    if truth is not None:
        table.add_column("truth", justify="right")
    reasons = []
    for one in ranking.candidates:
        known = one.HasField("accuracy")
        name = f"{one.name} *" if one.incumbent else one.name
        cells: list[str | Text] = [
            str(one.rank) if one.rank else "-",
            name,
            f"{one.accuracy.value:.3f}" if known else "-",
            f"{one.accuracy.low:.3f} .. {one.accuracy.high:.3f}" if known else "-",
            f"{one.p_best:.2f}" if one.HasField("p_best") else "-",
            state_text(one.state),
        ]
        if truth is not None:
            cells.append(f"{truth[one.name]:.3f}" if one.name in truth else "-")
        table.add_row(*cells)
        if one.reason and one.reason != ranking.reason:
            reasons.append(Text(f"{one.name}: {one.reason}", style="dim"))
    serves = ", * serves now" if any(one.incumbent for one in ranking.candidates) else ""
    heading = Text.assemble(
        (ranking.endpoint, "bold"),
        f"  round {ranking.round}, {ranking.items} items{serves}: ",
        state_text(ranking.state),
        f"  {ranking.reason}",
    )
    return Group(heading, table, *reasons, *(_segment_line(one) for one in ranking.segments))


def _segment_line(one: ranking_pb2.Segment) -> Text:
    """One segment: its top candidate, state and share."""
    return Text.assemble(
        "segment ",
        (one.name, "bold"),
        f"  {one.share:.0%} of the items, top {one.top_candidate or '-'}: ",
        state_text(one.state),
        f"  {one.reason}",
    )
