"""Prints a ranking: a table for people, a document for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from google.protobuf import json_format
from pilotfish.v1 import ranking_pb2
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from sidecar.core.preference.objectives import ACCURACY

# In a narrow terminal names and states are folded, numbers are not.
_NAME_WIDTH = 10
_WHOLE = frozenset({"rank", "accuracy", "90 % interval", "regret", "P(best)", "truth"})
_COLOURS = {"OK": "green", "TIED": "yellow", "UNAVAILABLE": "red", "BREAKS_CONSTRAINT": "red"}


def ranking_document(ranking: ranking_pb2.Ranking) -> dict[str, Any]:
    """The ranking as JSON, by the names of its proto fields; what is not known is absent."""
    document: dict[str, Any] = json_format.MessageToDict(
        ranking, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    # protobuf's JSON writes 64-bit numbers as text.
    document |= {"items": ranking.items, "round": ranking.round}
    for entry, segment in zip(document["segments"], ranking.segments, strict=True):
        entry["items"] = segment.items
    return document


def state_text(state: ranking_pb2.State.ValueType) -> Text:
    """The state's name in its colour."""
    name = ranking_pb2.State.Name(state).removeprefix("STATE_")
    return Text(name, style=_COLOURS.get(name, "magenta"))


def ranking_table(ranking: ranking_pb2.Ranking, truth: Mapping[str, float] | None = None) -> Group:
    """The ranking, best first, with the reasons below; `truth` adds what only labels can tell."""
    costs = _costs(ranking.preference)
    table = Table(show_edge=False, pad_edge=False)
    for name, justify in (
        ("rank", "right"),
        ("candidate", "left"),
        ("accuracy", "right"),
        ("90 % interval", "left"),
        *((name, "right") for name in costs),
        ("regret" if costs else "P(best)", "right"),
        ("state", "left"),
        *((("truth", "right"),) if truth is not None else ()),
    ):
        table.add_column(
            name,
            justify=cast("JustifyMethod", justify),
            no_wrap=name in _WHOLE,
            overflow="fold",
            min_width=_NAME_WIDTH if name == "candidate" else None,
        )
    reasons = []
    for one in ranking.candidates:
        known = one.HasField("accuracy")
        values = {value.name: value.value.value for value in one.objectives}
        cells: list[str | Text] = [
            str(one.rank) if one.rank else "-",
            f"{one.name} *" if one.incumbent else one.name,
            f"{one.accuracy.value:.3f}" if known else "-",
            f"{one.accuracy.low:.3f} .. {one.accuracy.high:.3f}" if known else "-",
            *(f"{values[name]:.3g}" if name in values else "-" for name in costs),
        ]
        if costs:
            cells.append(f"{one.expected_regret:.3f}" if one.HasField("expected_regret") else "-")
        else:
            cells.append(f"{one.p_best:.2f}" if one.HasField("p_best") else "-")
        cells.append(state_text(one.state))
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
    recommended = [_recommended_line(ranking.recommendation)] if ranking.HasField("recommendation") else []
    return Group(heading, table, *reasons, *recommended, *(_segment_line(one) for one in ranking.segments))


def _costs(preference: ranking_pb2.Preference) -> list[str]:
    """What counts or is bounded beside accuracy."""
    names = [one.name for one in preference.objectives] + [one.objective for one in preference.constraints]
    return [name for name in dict.fromkeys(names) if name != ACCURACY]


def _recommended_line(one: ranking_pb2.Recommendation) -> Text:
    """Which candidate to serve, and how near another one is to take its place."""
    against = (
        f"; {one.challenger} has {one.evidence:.0%} of the evidence to replace it" if one.evidence else ""
    )
    return Text.assemble("recommended: ", (one.candidate, "bold"), f"  {one.reason}{against}")


def _segment_line(one: ranking_pb2.Segment) -> Text:
    """One segment: its top candidate, state and share."""
    return Text.assemble(
        "segment ",
        (one.name, "bold"),
        f"  {one.share:.0%} of the items, top {one.top_candidate or '-'}: ",
        state_text(one.state),
        f"  {one.reason}",
    )
