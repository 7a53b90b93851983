"""Draws the first two objectives as SVG: models, the frontier of the two, uncertainty, names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, tostring

import numpy as np

from sidecar.core.tensors import Array, Floats
from sidecar.estimation.frontier.dominance import nondominated
from sidecar.tools.cli.frontier.asked import Asked
from sidecar.tools.cli.frontier.axis import Axis
from sidecar.tools.cli.frontier.figures import in_digits
from sidecar.tools.cli.frontier.findings import Finding, Findings
from sidecar.tools.cli.frontier.names import LETTER, LINE, Box, place_names
from sidecar.tools.report.elements import element

# Pixels.
_WIDTH, _HEIGHT = 960.0, 640.0
_FRAME: Final = Box(78.0, 44.0, _WIDTH - 24.0, _HEIGHT - 62.0)
# An ellipse of two normal values holds 90 % of them within sqrt(-2 ln 0.1) deviations.
_DEVIATIONS: Final = (-2 * np.log(0.1)) ** 0.5
# A smaller ellipse is covered by the point's mark.
_SMALLEST: Final = 3.0
_SEEN: Final = (0.01, 0.99)
_STYLE: Final = """
text { font: 11px system-ui, sans-serif; fill: #333 }
.title { font-size: 13px }
.grid { stroke: #e4e4e4 }
.frame { fill: none; stroke: #999 }
.behind { fill: #b8b8b8 }
.on { fill: #1a6fb0 }
.step { fill: none; stroke: #1a6fb0; stroke-width: 1.2; opacity: .65 }
.doubt { fill: #1a6fb0; fill-opacity: .12; stroke: #1a6fb0; stroke-opacity: .5 }
.leader { stroke: #888; stroke-width: .6 }
.halo { stroke: #fff; stroke-width: 3; stroke-linejoin: round; opacity: .8 }
"""


def plot_svg(found: Findings, asked: Asked, draws: Floats) -> bytes:
    """Draws the ranked models: the first objective upwards, the second to the right.

    Blue models are on the frontier of all objectives, grey ones behind it; the line is the frontier of the
    two objectives alone.

    Args:
        found: with at least one ranked model.
        asked: with at least two objectives.
        draws: shape [draws, models, measured columns].
    """
    names = list(asked.directions)
    places = [names[1], names[0]]
    values = np.array([[one.values[name] for name in places] for one in found.ranked])
    best = [place for place, one in enumerate(found.ranked) if one.pareto_rank == 1]
    rest = [place for place, one in enumerate(found.ranked) if one.pareto_rank > 1]
    clouds = draws[:, [found.ranked[place].row for place in best]][..., [1, 0]]
    # Nearly all of what is drawn of the frontier finds room.
    seen = np.concatenate([values, *np.quantile(clouds, _SEEN, axis=0)])
    x = Axis.over(seen[:, 0], _FRAME.left, _FRAME.right)
    y = Axis.over(seen[:, 1], _FRAME.bottom, _FRAME.top)
    points = np.stack([x.pixels(values[:, 0]), y.pixels(values[:, 1])], axis=1)
    directions = [asked.directions[name] for name in places]
    pixels = np.stack([x.pixels(clouds[..., 0]), y.pixels(clouds[..., 1])], axis=2)
    edge = nondominated(values, directions)
    drawing = element(
        "svg",
        element("title", f"{names[0]} and {names[1]} of {len(found.ranked)} models"),
        element("style", _STYLE),
        element("rect", width=_WIDTH, height=_HEIGHT, fill="#fff"),
        *_scales(x, y),
        *_titles(asked, places, len(best)),
        *_marks(found.ranked, points, rest, "behind"),
        element("path", d=_steps(points[edge], directions), class_="step"),
        *_ellipses(pixels),
        *_marks(found.ranked, points, best, "on"),
        *_names([found.ranked[place] for place in best], points[best], points[rest]),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
    )
    return bytes(tostring(drawing, encoding="utf-8"))


def _scales(x: Axis, y: Axis) -> Iterator[Element]:
    for tick in x.ticks():
        place = float(x.pixels(np.array(tick)))
        yield element("line", x1=place, x2=place, y1=_FRAME.top, y2=_FRAME.bottom, class_="grid")
        yield element("text", in_digits(tick), x=place, y=_FRAME.bottom + 16, text_anchor="middle")
    for tick in y.ticks():
        place = float(y.pixels(np.array(tick)))
        yield element("line", x1=_FRAME.left, x2=_FRAME.right, y1=place, y2=place, class_="grid")
        yield element("text", in_digits(tick), x=_FRAME.left - 8, y=place + 4, text_anchor="end")
    yield element(
        "rect",
        x=_FRAME.left,
        y=_FRAME.top,
        width=_FRAME.right - _FRAME.left,
        height=_FRAME.bottom - _FRAME.top,
        class_="frame",
    )


def _titles(asked: Asked, places: Sequence[str], best: int) -> Iterator[Element]:
    right, up = (
        f"{name} ({'higher' if asked.directions[name] > 0 else 'lower'} is better)" for name in places
    )
    middle = (_FRAME.left + _FRAME.right) / 2
    yield element("text", right, x=middle, y=_HEIGHT - 22, text_anchor="middle", class_="title")
    centre = (_FRAME.top + _FRAME.bottom) / 2
    turn = f"rotate(-90 18 {centre:g})"
    yield element("text", up, x=18, y=centre, text_anchor="middle", class_="title", transform=turn)
    of = "both" if len(asked.directions) == len(places) else f"all {len(asked.directions)}"
    legend = {
        f"on the frontier of {of} objectives ({best} models)": "on",
        "behind it": "behind",
        "holds 90 % of the draws": "doubt",
        "frontier of the two drawn": "step",
    }
    left = _FRAME.left
    for said, kind in legend.items():
        yield (
            element("path", d=f"M{left:g} 22h20", class_="step")
            if kind == "step"
            else element("ellipse", cx=left + 10, cy=22, rx=9 if kind == "doubt" else 4, ry=4, class_=kind)
        )
        yield element("text", said, x=left + 26, y=26)
        left += 50 + LETTER * len(said)


def _marks(found: Sequence[Finding], points: Floats, places: Sequence[int], kind: str) -> Iterator[Element]:
    radius = 4.0 if kind == "on" else 2.5
    for place in places:
        said = f"{found[place].name}: P(frontier) {found[place].p_nondominated:.2f}"
        x, y = points[place].tolist()
        yield element("circle", element("title", said), cx=x, cy=y, r=radius, class_=kind)


def _steps(points: Floats, directions: Sequence[int]) -> str:
    """The edge of what the points dominate, from frame to frame."""
    worst_x = _FRAME.left if directions[0] > 0 else _FRAME.right
    worst_y = _FRAME.bottom if directions[1] > 0 else _FRAME.top
    # From the worst to the best to the right: every step goes there at its own height.
    ordered = points[np.argsort(points[:, 0] * directions[0], kind="stable")]
    turns = "".join(f"V{y:.2f}H{x:.2f}" for x, y in ordered.tolist())
    return f"M{worst_x:.2f} {ordered[0, 1]:.2f}{turns}V{worst_y:.2f}"


def _ellipses(clouds: Array) -> Iterator[Element]:
    """Contours of pixels drawn, shape [draws, models, 2]."""
    if len(clouds) == 1:
        return
    for cloud in np.moveaxis(clouds, 1, 0):
        spread, turn = np.linalg.eigh(np.cov(cloud.T))
        radii = _DEVIATIONS * np.sqrt(np.maximum(spread, 0.0))
        if radii.max() < _SMALLEST:
            continue
        x, y = cloud.mean(axis=0).tolist()
        angle = float(np.degrees(np.arctan2(turn[1, 1], turn[0, 1])))
        # A thin one is kept wide enough to be seen.
        yield element(
            "ellipse",
            cx=x,
            cy=y,
            rx=float(radii[1]),
            ry=max(float(radii[0]), 1.0),
            transform=f"rotate({angle:.1f} {x:.2f} {y:.2f})",
            class_="doubt",
        )


def _names(found: Sequence[Finding], points: Floats, others: Floats) -> Iterator[Element]:
    names = [one.name for one in found]
    rooms = place_names(names, points, others, _FRAME)
    for name, (x, y), room in zip(names, points.tolist(), rooms, strict=True):
        if room is None:
            continue
        near_x, near_y = min(max(x, room.left), room.right), (room.top + room.bottom) / 2
        if np.hypot(near_x - x, near_y - y) > LINE:
            yield element("line", x1=x, y1=y, x2=near_x, y2=near_y, class_="leader")
        # Twice, as not every viewer knows paint-order.
        for kind in ("halo", "name"):
            yield element("text", name, x=room.left, y=room.bottom - 3, class_=kind)
