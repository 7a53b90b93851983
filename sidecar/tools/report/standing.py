"""The ranking as a table with an interval chart; all rows share one axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from sidecar.core.ranking import CandidateRank, Ranking, State
from sidecar.tools.report.elements import element, shaded, table

# Pixels: the axis, room beside it for a mark at its end, and a row.
_WIDTH, _MARGIN, _HEIGHT = 260, 12, 26
_MARK = 5
# With more tenths than this on the axis, every second one gets a tick.
_EVERY_TENTH = 5


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `low` to `high` tenths of accuracy, with a tick every `step` tenths."""

    low: int
    high: int
    step: int

    def x(self, accuracy: float) -> float:
        """Pixels from the chart's left edge."""
        return _MARGIN + _WIDTH * (10 * accuracy - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Accuracies with a tick."""
        return [tenth / 10 for tenth in range(self.low, self.high + 1, self.step)]


def state_badge(state: State) -> Element:
    """Makes the state's name in its colour."""
    return element("span", state.name, class_=f"state {state.name}")


def standing(ranking: Ranking, *, incumbent: str, accuracies: Mapping[str, float]) -> Element:
    """Draws a ranking, best first.

    Args:
        ranking: one.
        incumbent: name of the candidate that serves now; empty for none.
        accuracies: the true ones, by name, where labels tell.
    """
    axis = _axis([*_shown(ranking), *accuracies.values()])
    heads = [
        element("th", "rank"),
        element("th", "candidate"),
        element("th", _scale(axis), class_="chart"),
        *(element("th", name) for name in ("accuracy", "90 % interval")),
        *([element("th", "truth")] if accuracies else ()),
        *(element("th", name) for name in ("P(best)", "state")),
    ]
    rows = [
        _row(one, axis, accuracies, serves=one.name == incumbent, known=ranking.reason)
        for one in ranking.candidates
    ]
    return table(heads, rows)


def _shown(ranking: Ranking) -> Iterator[float]:
    """The ends of all intervals."""
    for one in ranking.candidates:
        if one.accuracy is not None:
            yield from (one.accuracy.low, one.accuracy.high)


def _axis(values: list[float]) -> _Axis:
    """The least axis of whole steps that holds all values; 0 to 1 for none."""
    low = min(math.floor(10 * min(values, default=0.0)), 9)
    high = max(math.ceil(10 * max(values, default=1.0)), low + 1)
    step = 1 if high - low <= _EVERY_TENTH else 2
    return _Axis(low - low % step, high + high % step, step)


def _scale(axis: _Axis) -> Element:
    labels = [
        element("text", f"{tick:.1f}", x=axis.x(tick), y=_HEIGHT / 2, text_anchor="middle")
        for tick in axis.ticks()
    ]
    return _chart("axis of accuracies", *labels)


def _row(
    one: CandidateRank, axis: _Axis, accuracies: Mapping[str, float], *, serves: bool, known: str
) -> Element:
    """One candidate's line; a reason that is known from the whole ranking is not told again."""
    name = element("th", one.name, *([element("small", "serves now")] if serves else ()), scope="row")
    estimate, truth = one.accuracy, accuracies.get(one.name)
    reason = "" if one.reason == known else one.reason
    return element(
        "tr",
        element("td", str(one.rank) if one.rank else "-", class_="n"),
        name,
        element("td", _intervals(one, axis, truth), class_="chart"),
        _number(None if estimate is None else estimate.value),
        element("td", f"{estimate.low:.3f} .. {estimate.high:.3f}" if estimate else "-", class_="n"),
        *([_number(truth)] if accuracies else ()),
        _number(None) if one.p_best is None else shaded(f"{one.p_best:.2f}", one.p_best),
        element("td", state_badge(one.state), element("small", reason), class_="reason"),
    )


def _number(value: float | None) -> Element:
    return element("td", "-" if value is None else f"{value:.3f}", class_="n")


def _intervals(one: CandidateRank, axis: _Axis, truth: float | None) -> Element:
    middle = _HEIGHT / 2
    drawn = [
        element("line", x1=axis.x(tick), x2=axis.x(tick), y1=0, y2=_HEIGHT, class_="grid")
        for tick in axis.ticks()
    ]
    said = []
    if one.accuracy is not None:
        value, low, high = (axis.x(end) for end in (one.accuracy.value, one.accuracy.low, one.accuracy.high))
        doubt = "" if one.state in {State.OK, State.TIED} else " doubted"
        drawn += [
            element("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"interval{doubt}"),
            element("circle", cx=value, cy=middle, r=_MARK, class_=f"estimate{doubt}"),
        ]
        said.append(
            f"estimated {one.accuracy.value:.3f}, "
            f"{one.accuracy.level:.0%} interval {one.accuracy.low:.3f} to {one.accuracy.high:.3f}"
        )
    if truth is not None:
        place = axis.x(truth)
        corners = f"M{place - _MARK:.2f} {middle}l{_MARK} -{_MARK} {_MARK} {_MARK} -{_MARK} {_MARK}z"
        drawn.append(element("path", d=corners, class_="truth"))
        said.append(f"truly {truth:.3f}")
    return _chart("; ".join(said) or "no estimate", *drawn)


def _chart(said: str, *drawn: Element) -> Element:
    return element(
        "svg",
        element("title", said),
        *drawn,
        role="img",
        width=_WIDTH + 2 * _MARGIN,
        height=_HEIGHT,
    )
