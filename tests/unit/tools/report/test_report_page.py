from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.ranking import (
    CandidateRank,
    Estimate,
    FeatureShift,
    MeasureValue,
    Ranking,
    Segment,
    Standing,
    State,
)
from sidecar.tools.report import report_page
from sidecar.tools.report.comparison import MAX_COMPARED

_VOID = {"meta"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    def all(self, tag: str, class_: str = "") -> list[Node]:
        nodes = [one for one in self.children if isinstance(one, Node)]
        own = [self] if self.tag == tag and class_ in (self.attributes.get("class") or "").split(" ") else []
        if self.tag == tag and not class_:
            own = [self]
        return own + [found for one in nodes for found in one.all(tag, class_)]

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    def number(self, name: str) -> float:
        return float(self.attributes[name] or "")


class Tree(HTMLParser):
    """Reads a page and refuses tags that do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open = [Node("", {})]
        self.seen: list[Node] = []
        self.feed(page)
        self.close()
        assert len(self.open) == 1, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.seen.append(node)
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def measured(name: str, value: float | None, direction: int = 1) -> MeasureValue:
    if value is None:
        return MeasureValue(name, direction, None, "the model gives no logits")
    return MeasureValue(name, direction, Estimate(value, value - 0.1, value + 0.1))


def candidate(name: str, value: float, rank: int = 1, **changes: Any) -> CandidateRank:  # noqa: ANN401 - any field
    accuracy = Estimate(value, max(value - 0.1, 0.0), min(value + 0.05, 1.0))
    made = CandidateRank(
        name,
        rank,
        State.OK,
        "",
        accuracy,
        standing=Standing(0.5, 0.0, 0.5, Estimate(1.0, 1.0, 1.0), {}),
        measures=(measured("agreement", value), measured("jsd", 1 - value, -1), measured("energy", None)),
        shifted_features=(FeatureShift("width", 0.3, 0.1, 0.25),),
    )
    return replace(made, **changes)


def ranking(*candidates: CandidateRank, **changes: Any) -> Ranking:  # noqa: ANN401 - any field
    return replace(Ranking(4, State.OK, "", candidates), **changes)


LOST = CandidateRank("lost", 0, State.UNAVAILABLE, "its file is gone", None)
POOL = ranking(candidate("near", 0.9), candidate("far", 0.6, 2, shifted_features=()), LOST)
VOTES = {"near": np.array([0, 1, 2, 2]), "far": np.array([0, 1, 1, 1])}


def page(shown: Ranking = POOL, **changes: Any) -> str:  # noqa: ANN401 - any argument
    arguments: dict[str, Any] = {
        "endpoint": "digits",
        "incumbent": "near",
        "made_at_s": 86400.0,
        "votes": VOTES,
        "compared": {"near", "far"},
        "accuracies": {},
        "worth": "",
    }
    return report_page(shown, **(arguments | changes))


def tree(shown: Ranking = POOL, **changes: Any) -> Node:  # noqa: ANN401 - any argument
    return Tree(page(shown, **changes)).open[0]


def section(root: Node, title: str) -> Node:
    return next(one for one in root.all("section") if one.all("h2") and one.all("h2")[0].text == title)


def rows(node: Node) -> dict[str, list[str]]:
    """The cells of each row of a table's body, by its head."""
    found = (row for body in node.all("tbody") for row in body.all("tr"))
    return {row.all("th")[0].text: [cell.text for cell in row.all("td")] for row in found}


def depth(cell: Node) -> float:
    return float((cell.attributes["style"] or "").removeprefix("--share:"))


def test_the_page_says_who_leads_when_and_on_how_much() -> None:
    text = tree().text
    assert "near leads" in text
    assert "4 items, 3 candidates, 1970-01-02 00:00 UTC" in text


def test_a_doubted_ranking_says_its_reason_once() -> None:
    doubt = "too little traffic"
    alike = [
        candidate(name, 0.5, state=State.NEAR_CHANCE, reason=doubt, accuracy=None) for name in ("near", "far")
    ]
    text = tree(ranking(*alike, state=State.NEAR_CHANCE, reason=doubt)).text
    assert text.count(doubt) == 1


def test_every_candidate_has_its_numbers_state_and_reason() -> None:
    standing = rows(section(tree(), "Ranking"))
    assert list(standing) == ["nearserves now", "far", "lost"]
    assert standing["far"][0] == "2"
    assert standing["far"][2:] == ["0.600", "0.500 .. 0.650", "0.50", "OK"]
    assert standing["lost"][0] == "-"
    assert standing["lost"][2:] == ["-", "-", "-", "UNAVAILABLEits file is gone"]


def test_the_truth_is_shown_where_labels_tell_it_and_only_there() -> None:
    blind, labelled = (tree(accuracies=known, worth="regret 0") for known in ({}, {"near": 0.8, "far": 0.7}))
    assert not blind.all("path", "truth")
    marks = labelled.all("path", "truth")
    assert len(marks) == 2
    # Left corner of the right mark lies beyond that of the left one, as .8 is more than .7.
    assert float((marks[0].attributes["d"] or "").split()[0][1:]) > float(
        (marks[1].attributes["d"] or "").split()[0][1:]
    )
    assert rows(section(labelled, "Ranking"))["far"][4] == "0.700"
    assert rows(section(labelled, "Ranking"))["lost"][4] == "-"
    assert "By the labels: regret 0." in labelled.text


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_all_rows_share_one_axis_that_holds_every_interval(values: list[float]) -> None:
    drawn = section(
        tree(ranking(*(candidate(f"c{place}", value) for place, value in enumerate(values)))), "Ranking"
    )
    axis, *charts = drawn.all("svg")
    ticks = [(float(one.text), one.number("x")) for one in axis.all("text")]
    (low, left), (high, right) = ticks[0], ticks[-1]
    assert 0 <= low < high <= 1
    assert 0 < left < right < axis.number("width")
    for value, chart in zip(values, charts, strict=True):
        [dot], [bar] = chart.all("circle"), chart.all("line", "interval")
        # Coordinates keep two places.
        assert dot.number("cx") == pytest.approx(
            left + (value - low) / (high - low) * (right - left), abs=0.02
        )
        assert left - 0.02 <= bar.number("x1") <= dot.number("cx") <= bar.number("x2") <= right + 0.02
        assert [one.number("x1") for one in chart.all("line", "grid")] == [x for _, x in ticks]


def test_an_estimate_in_doubt_is_grey() -> None:
    states = (State.OK, State.TIED, State.NEAR_CHANCE, State.OUT_OF_SUPPORT)
    shown = ranking(*(candidate(state.name, 0.5, state=state) for state in states))
    dots = tree(shown).all("circle", "estimate")
    assert ["doubted" in (dot.attributes["class"] or "") for dot in dots] == [False, False, True, True]


def test_agreement_is_the_share_of_items_answered_alike() -> None:
    assert rows(section(tree(), "Agreement between candidates")) == {
        "near": ["1.00", "0.50"],
        "far": ["0.50", "1.00"],
    }


def test_the_agreement_of_many_candidates_is_cut_and_says_so() -> None:
    names = [f"c{place}" for place in range(MAX_COMPARED + 3)]
    shown = section(
        tree(ranking(*(candidate(name, 0.5) for name in names)), votes=dict.fromkeys(names, VOTES["near"])),
        "Agreement between candidates",
    )
    assert list(rows(shown)) == names[:MAX_COMPARED]
    assert f"The first {MAX_COMPARED} of {len(names)} candidates." in shown.text


@pytest.mark.parametrize("items", [0, 4])
def test_without_answers_there_is_no_agreement(items: int) -> None:
    shown = tree(ranking(LOST, items=items), votes={})
    assert (
        "No item was answered with a class by all candidates."
        in section(shown, "Agreement between candidates").text
    )


def test_the_better_value_of_a_measure_is_the_deeper_in_both_directions() -> None:
    found = {row.all("th")[0].text: row for row in section(tree(), "Measures").all("tr")}
    for name, arrow in (("agreement", "↑"), ("jsd", "↓")):
        row = next(row for head, row in found.items() if head.startswith(name))
        better, near, far = row.all("td")
        assert arrow in better.text
        assert (depth(near), depth(far)) == (1, 0)
        assert " .. " in (near.attributes["title"] or "")


def test_values_that_are_written_alike_look_alike() -> None:
    alike = [
        candidate(name, 0.5, measures=(measured("agreement", value),))
        for name, value in (("near", 0.5), ("far", 0.5 + 1e-9))
    ]
    cells = section(tree(ranking(*alike)), "Measures").all("td", "shaded")
    assert [depth(cell) for cell in cells] == [0, 0]


def test_unknown_measures_are_told_once_with_their_reason() -> None:
    text = section(tree(), "Measures").text
    assert "energy: unknown for all candidates: the model gives no logits" in text.replace("\n", "")
    some = ranking(
        candidate("near", 0.9, measures=(measured("energy", 1.0),)),
        candidate("far", 0.6, measures=(measured("energy", None),)),
    )
    assert "energy: unknown for far: the model gives no logits" in section(tree(some), "Measures").text
    nothing = section(tree(ranking(LOST), votes={}), "Measures")
    assert "Nothing could be measured." in nothing.text


def test_features_that_moved_are_told_from_those_that_did_not_and_those_unknown() -> None:
    shown = section(tree(), "Shift by feature")
    assert rows(shown) == {"width": ["", "0.300", "0.100", "25.0%"]}
    [bar], [limit] = shown.all("rect"), shown.all("line", "limit")
    assert limit.number("x1") == pytest.approx(bar.number("width") / 3, abs=0.02)
    assert "No feature lies beyond its threshold for far." in shown.text
    assert "Not known for lost:" in shown.text
    blind = ranking(candidate("near", 0.9, shifted_features=()), LOST)
    assert "Not known for all candidates:" in tree(blind, compared=()).text


def test_segments_have_rankings_of_their_own() -> None:
    own = ranking(candidate("far", 0.8), state=State.TIED, reason="neck and neck")
    night = Segment("night", "metadata time = night", 0.25, own, np.array([True, False, False, False]))
    shown = section(tree(replace(POOL, segments=(night,))), "Segments")
    [summary] = shown.all("summary")
    assert summary.text == "night, 25% TIED neck and neck"
    assert "metadata time = night; 4 items" in shown.text
    assert list(rows(shown)) == ["far"]
    assert "Segments" not in tree().text


def test_every_state_is_explained() -> None:
    explained = section(tree(), "How to read this")
    assert [one.text for one in explained.all("dt")] == [state.name for state in State]
    assert "Concept drift is invisible" in explained.text


HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&lt;"


def test_a_name_from_outside_stays_text() -> None:
    hostile = candidate(
        HOSTILE,
        0.5,
        state=State.OUT_OF_SUPPORT,
        reason=HOSTILE,
        measures=(MeasureValue("energy", 1, None, HOSTILE),),
        shifted_features=(FeatureShift(HOSTILE, 0.3, 0.1, 0.2),),
    )
    own = ranking(hostile, reason=HOSTILE)
    shown = replace(own, segments=(Segment(HOSTILE, HOSTILE, 1.0, own, np.ones(4, bool)),))
    read = Tree(
        page(shown, endpoint=HOSTILE, incumbent=HOSTILE, votes={HOSTILE: VOTES["near"]}, worth=HOSTILE)
    )
    assert {node.tag for node in read.seen}.isdisjoint({"script", "img"})
    assert not [name for node in read.seen for name in node.attributes if name.startswith("on")]
    root = read.open[0]
    assert root.all("h1")[0].text == HOSTILE
    for title in ("Ranking", "Segments", "Agreement between candidates", "Shift by feature", "Measures"):
        assert HOSTILE in section(root, title).text


def test_the_page_needs_nothing_beside_itself() -> None:
    text = page(accuracies={"near": 0.8}, worth="regret 0")
    read = Tree(text)
    assert {name for node in read.seen for name in node.attributes}.isdisjoint({"src", "href", "xlink:href"})
    assert {node.tag for node in read.seen}.isdisjoint({"script", "link", "iframe", "object"})
    for word in ("http:", "https:", "//", "url(", "@import"):
        assert word not in text


def test_equal_rankings_make_equal_pages() -> None:
    assert page() == page()


def test_what_is_unknown_is_never_written_as_a_number() -> None:
    for shown in (POOL, ranking(LOST, state=State.INSUFFICIENT_DATA, reason="no items", items=0)):
        text = page(shown, votes=VOTES if shown is POOL else {}).lower()
        assert not any(word in text for word in (">nan", "nan<", '"nan', ">inf", ">none", "none<"))
