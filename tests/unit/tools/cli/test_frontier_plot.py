from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.tools.cli.frontier.asked import asked
from sidecar.tools.cli.frontier.axis import Axis
from sidecar.tools.cli.frontier.findings import find
from sidecar.tools.cli.frontier.names import Box, place_names
from sidecar.tools.cli.frontier.plot import plot_svg

SVG = "{http://www.w3.org/2000/svg}"


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0, 8))
def test_all_values_stand_on_their_axis_and_so_do_round_ticks(seed: int, count: int, spread: float) -> None:
    values = np.exp(np.random.default_rng(seed).normal(0, spread, count))
    axis = Axis.over(values, 100, 500)
    pixels = axis.pixels(values)
    assert ((pixels >= 100) & (pixels <= 500)).all()
    assert (np.diff(pixels[np.argsort(values)]) >= 0).all()
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 9
    places = axis.pixels(np.array(ticks))
    assert ((places >= 100 - 1e-6) & (places <= 500 + 1e-6)).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_names_cover_neither_each_other_nor_points(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    frame = Box(0, 0, 400, 300)
    points, others = rng.random((count, 2)) * [400, 300], rng.random((5, 2)) * [400, 300]
    rooms = place_names(["m" * int(n) for n in rng.integers(1, 30, count)], points, others, frame)
    placed = [room for room in rooms if room is not None]
    assert placed or count > 1
    for number, room in enumerate(placed):
        assert room.within(frame)
        assert not any(room.overlaps(other) for other in placed[:number])
        assert not room.holds(points)


def test_of_several_rooms_a_name_takes_the_one_that_hides_nothing() -> None:
    point = np.array([[200.0, 150.0]])
    crowd = np.random.default_rng(0).uniform([200, 50], [400, 250], (20_000, 2))
    (room,) = place_names(["name"], point, crowd, Box(0, 0, 400, 300))
    assert room is not None
    assert room.right <= 200


def drawing(names: list[str], draws: int = 50) -> ET.Element:
    values = np.array([[0.9, 10.0], [0.8, 1.0], [0.7, 5.0], [0.85, 100.0]])[: len(names)]
    words = asked("accuracy:max,latency:min", (), (), 0.9, None, None)
    noise = np.random.default_rng(0).normal(0, 0.1, (draws, *values.shape))
    clouds = values * np.exp(noise)
    found = find(names, values, clouds, words, 0.9)
    return ET.fromstring(plot_svg(found, words, clouds))  # noqa: S314 - our own drawing


def texts(root: ET.Element, kind: str) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text") if one.get("class") == kind]


def test_the_plot_names_the_frontier_and_shows_its_uncertainty() -> None:
    root = drawing(['a<b>&"c"', "fast", "slow", "dear"])
    assert sorted(texts(root, "name")) == ['a<b>&"c"', "fast"]
    assert texts(root, "title") == ["latency (lower is better)", "accuracy (higher is better)"]
    marks = [one.get("class") for one in root.iter(f"{SVG}circle")]
    assert (marks.count("on"), marks.count("behind")) == (2, 2)
    # One in the legend.
    assert [one.get("class") for one in root.iter(f"{SVG}ellipse")].count("doubt") == 3


@pytest.mark.parametrize("names", [["alone"], ["a", "b"]])
def test_few_models_without_uncertainty_are_drawn_too(names: list[str]) -> None:
    root = drawing(names, draws=1)
    assert sorted(texts(root, "name")) == names
    assert [one.get("class") for one in root.iter(f"{SVG}ellipse")].count("doubt") == 1
    assert "nan" not in ET.tostring(root, encoding="unicode")


def test_the_step_line_runs_along_what_the_frontier_dominates() -> None:
    root = drawing(["a", "b", "c", "d"], draws=1)
    path = next(one.get("d", "") for one in root.iter(f"{SVG}path") if "H" in one.get("d", ""))
    # Lower latency is better: the line comes from the right edge, and ends at the bottom.
    assert path.startswith("M936.00 ")
    assert path.endswith("V578.00")
    assert path.count("H") == 2
