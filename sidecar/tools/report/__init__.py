"""A ranking as one HTML page that needs nothing beside itself: no network, no script."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib import resources
from xml.etree.ElementTree import Element, tostring

from sidecar.core.ranking import Ranking, Segment
from sidecar.core.tensors import Array
from sidecar.tools.report.comparison import agreement_map, measure_tables, shift_tables
from sidecar.tools.report.elements import element
from sidecar.tools.report.explanations import ASSUMPTIONS, STATES
from sidecar.tools.report.standing import standing, state_badge

# Nothing may be loaded or run, even if something slipped through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report_page(
    ranking: Ranking,
    *,
    endpoint: str,
    incumbent: str,
    made_at_s: float,
    votes: Mapping[str, Array],
    compared: Collection[str],
    accuracies: Mapping[str, float],
    worth: str,
) -> str:
    """Writes a ranking as a page; equal arguments give equal pages.

    Args:
        ranking: the whole window's.
        endpoint: its name.
        incumbent: name of the candidate that serves now; empty for none.
        made_at_s: seconds since the Unix epoch.
        votes: each compared candidate's class for each item [n], by name.
        compared: names of the candidates whose source's features could be compared with the traffic's.
        accuracies: the true ones, by name; empty without labels.
        worth: what the ranking was worth, in words; empty without labels.

    Returns:
        HTML.
    """
    made_at = f"{datetime.fromtimestamp(made_at_s, UTC):%Y-%m-%d %H:%M} UTC"
    facts = f"{ranking.items} items, {len(ranking.candidates)} candidates, {made_at}"
    legend = "Dot: estimated accuracy; bar: its 90 % interval, grey where the state calls it in doubt"
    if accuracies:
        legend += "; diamond: true accuracy, by the labels"
    legend += ". P(best): how probable it is that no other candidate here is better."
    body = element(
        "body",
        element("h1", endpoint),
        _verdict(ranking),
        element("p", facts, class_="facts"),
        _section(
            "Ranking",
            standing(ranking, incumbent=incumbent, accuracies=accuracies),
            element("p", legend, class_="facts"),
            *([element("p", f"By the labels: {worth}.", class_="facts")] if worth else ()),
        ),
        *([_segments(ranking.segments, incumbent)] if ranking.segments else ()),
        _section("Agreement between candidates", *agreement_map(ranking, votes)),
        _section("Shift by feature", *shift_tables(ranking, compared)),
        _section("Measures", *measure_tables(ranking)),
        _explained(),
    )
    page = element("html", _head(endpoint), body, lang="en")
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _head(endpoint: str) -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{endpoint}: ranking of candidates"),
        element("style", resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")),
    )


def _verdict(ranking: Ranking) -> Element:
    return element(
        "p", state_badge(ranking.state), element("strong", f" {_conclusion(ranking)}"), class_="verdict"
    )


def _conclusion(ranking: Ranking) -> str:
    """The reason of the ranking's state, or the leader where there is nothing to say against it."""
    leader = next((one.name for one in ranking.candidates if one.rank == 1), "nobody")
    return ranking.reason or f"{leader} leads"


def _segments(segments: tuple[Segment, ...], incumbent: str) -> Element:
    parts = [
        element(
            "details",
            element(
                "summary",
                element("strong", f"{one.name}, {one.share:.0%} "),
                state_badge(one.ranking.state),
                f" {_conclusion(one.ranking)}",
            ),
            element("p", f"{one.rule}; {one.ranking.items} items", class_="facts"),
            standing(one.ranking, incumbent=incumbent, accuracies={}),
        )
        for one in segments
    ]
    said = (
        "Kinds of traffic that the whole was weighed from, with their shares. Each opens to its own ranking."
    )
    return _section("Segments", element("p", said), *parts)


def _explained() -> Element:
    states = []
    for state, meaning in STATES.items():
        states += [element("dt", state_badge(state)), element("dd", meaning)]
    return _section(
        "How to read this",
        element(
            "p",
            "The state at the top is that of the whole ranking. Where it is not OK, stay with what serves "
            "now; the reason says why.",
        ),
        element("dl", *states),
        element("ul", *(element("li", one) for one in ASSUMPTIONS)),
    )


def _section(title: str, *content: Element) -> Element:
    return element("section", element("h2", title), *content)
