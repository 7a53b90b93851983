"""What lies behind a ranking: measures, agreement between candidates, shift by feature."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from sidecar.core.ranking import CandidateRank, FeatureShift, MeasureValue, Ranking
from sidecar.core.tensors import Array
from sidecar.estimation.measures.likeness import pairwise_agreement
from sidecar.estimation.measures.table import find_measure
from sidecar.tools.report.elements import element, shaded, table

# As many columns of numbers fit on a page.
MAX_COMPARED = 20
# Pixels of a feature's bar.
_WIDTH, _HEIGHT = 160, 12


def measure_tables(ranking: Ranking) -> list[Element]:
    """Draws each measure of each candidate, and says why the others are unknown."""
    measured = [one for one in ranking.candidates if one.measures]
    by_measure = list(zip(*(one.measures for one in measured), strict=True))
    known = [values for values in by_measure if any(value.estimate for value in values)]
    unknown = element("ul", *_unknown(measured, by_measure))
    if not known:
        return [element("p", "Nothing could be measured."), unknown]
    heads = [element("th", "measure"), element("th", "better"), *_turned(one.name for one in measured)]
    return [
        element(
            "p", "The deeper the colour, the better among these candidates. Hover for the 90 % interval."
        ),
        table(heads, [_measure_row(values) for values in known]),
        unknown,
    ]


def _measure_row(values: Sequence[MeasureValue]) -> Element:
    known = [value.direction * value.estimate.value for value in values if value.estimate]
    worst, best = min(known), max(known)
    # What is written alike looks alike.
    spread = best - worst if _short(best) != _short(worst) else 0.0
    first = values[0]
    formula = element("small", find_measure(first.name).formula)
    name = element("th", first.name, formula, scope="row", class_="measure")
    row = element("tr", name, element("td", "↑ high" if first.direction > 0 else "↓ low", class_="n"))
    for value in values:
        if value.estimate is None:
            row.append(element("td", "-", class_="n", title=value.reason))
            continue
        depth = (value.direction * value.estimate.value - worst) / spread if spread else 0.0
        interval = f"{_short(value.estimate.low)} .. {_short(value.estimate.high)}"
        row.append(shaded(_short(value.estimate.value), depth, title=interval))
    return row


def _unknown(
    measured: Sequence[CandidateRank], by_measure: Sequence[Sequence[MeasureValue]]
) -> list[Element]:
    """Each reason once, with the measures and candidates that it holds for."""
    measures: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for values in by_measure:
        for reason in dict.fromkeys(value.reason for value in values if value.estimate is None):
            names = tuple(
                one.name for one, value in zip(measured, values, strict=True) if value.reason == reason
            )
            measures.setdefault((reason, names), []).append(values[0].name)
    return [
        element(
            "li",
            f"{', '.join(found)}: unknown for {_together(names, measured)}: {reason}",
        )
        for (reason, names), found in measures.items()
    ]


def agreement_map(ranking: Ranking, votes: Mapping[str, Array]) -> list[Element]:
    """Draws the share of items that two candidates answer alike.

    Args:
        ranking: gives the order.
        votes: each candidate's class for each item [n], by name.
    """
    voters = [one.name for one in ranking.candidates if one.name in votes]
    names = voters[:MAX_COMPARED]
    if not ranking.items or not names:
        return [element("p", "No item was answered with a class by all candidates.")]
    shares = pairwise_agreement(np.stack([votes[name] for name in names]))
    rows = [
        element("tr", element("th", name, scope="row"), *(shaded(f"{share:.2f}", share) for share in row))
        for name, row in zip(names, shares.tolist(), strict=True)
    ]
    said = f"Share of {ranking.items} items that two candidates answer alike."
    if len(names) < len(voters):
        said += f" The first {len(names)} of {len(voters)} candidates."
    return [element("p", said), table([element("th"), *_turned(names)], rows)]


def shift_tables(ranking: Ranking, compared: Collection[str]) -> list[Element]:
    """Draws, for each candidate, the features that lie farther from its source than that from itself.

    Args:
        ranking: holds them.
        compared: names of the candidates whose features could be compared with the traffic's.
    """
    moved = [one for one in ranking.candidates if one.shifted_features]
    still = [one.name for one in ranking.candidates if not one.shifted_features]
    within = [name for name in still if name in compared]
    unknown = [name for name in still if name not in compared]
    sections = []
    if moved:
        farthest = max(
            max(shift.divergence, shift.threshold) for one in moved for shift in one.shifted_features
        )
        cards = [_shift_card(one, farthest) for one in moved]
        sections = [
            element(
                "p",
                "Jensen-Shannon divergence (nats) between the traffic and what the candidate was trained on. "
                "The line marks the threshold: what 95 % of the source's own partitions stay under. All bars "
                f"share one scale, 0 to {farthest:.3f}; the farthest beyond its threshold comes first. "
                "Out of range: the share of values beyond what the source ever reached.",
            ),
            element("div", *cards, class_="cards"),
        ]
    if within:
        said = f"No feature lies beyond its threshold for {_together(within, ranking.candidates)}."
        sections.append(element("p", said))
    if unknown:
        said = (
            f"Not known for {_together(unknown, ranking.candidates)}: that takes a profile with features, "
            "and one whole partition of the traffic."
        )
        sections.append(element("p", said))
    return sections


def _shift_card(one: CandidateRank, farthest: float) -> Element:
    names = ("feature", "", "divergence", "threshold", "out of range")
    rows = [_shift_row(shift, farthest) for shift in one.shifted_features]
    return element("section", element("h3", one.name), table([element("th", name) for name in names], rows))


def _shift_row(shift: FeatureShift, farthest: float) -> Element:
    limit = _WIDTH * shift.threshold / farthest
    bar = element(
        "svg",
        element("rect", width=_WIDTH * shift.divergence / farthest, height=_HEIGHT, class_="bar"),
        element("line", x1=limit, x2=limit, y1=0, y2=_HEIGHT, class_="limit"),
        width=_WIDTH + 1,
        height=_HEIGHT,
        aria_hidden="true",
    )
    numbers = (_short(shift.divergence), _short(shift.threshold), f"{shift.outside_range:.1%}")
    return element(
        "tr",
        element("th", shift.name, scope="row"),
        element("td", bar),
        *(element("td", number, class_="n") for number in numbers),
    )


def _together(names: Sequence[str], candidates: Sequence[CandidateRank]) -> str:
    return "all candidates" if len(names) == len(candidates) else ", ".join(names)


def _turned(names: Iterable[str]) -> list[Element]:
    """Heads of narrow columns, to be read from below."""
    return [element("th", element("span", name), class_="turned", scope="col") for name in names]


def _short(value: float) -> str:
    """Three digits that count."""
    return f"{value:#.3g}".removesuffix(".")
