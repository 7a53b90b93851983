"""What a panel of the dashboard is, and the selectors that its queries share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

# The chosen pods' own series, and those of the chosen endpoint.
PODS: Final = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
ENDPOINT: Final = f'{PODS}, endpoint="$endpoint"'
Queries = tuple[tuple[str, str], ...]


class Kind(Enum):
    """How a panel is drawn."""

    LINES = auto()
    """Values over time."""
    NAME = auto()
    """The name of the series that there is, in large letters."""
    NUMBER = auto()
    """The newest value, in large letters."""
    STATES = auto()
    """One bar over time for each series, coloured where it is 1."""
    BAND = auto()
    """A value between `low` and `high` over time; one panel for each candidate that is chosen."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        title: what it shows.
        unit: as Grafana names units.
        queries: PromQL and the legend of its series.
        kind: how it is drawn.
        text: what the title does not say.
        width: of 24.
    """

    title: str
    unit: str
    queries: Queries
    kind: Kind = Kind.LINES
    text: str = ""
    width: int = 8


def by_candidate(name: str) -> Queries:
    """A gauge of each candidate of the endpoint, on average over the chosen pods."""
    return ((f"avg by (candidate) (pilotfish_candidate_{name}{{{ENDPOINT}}})", "{{candidate}}"),)


def rate(name: str, where: str) -> str:
    """How fast a counter grows, a second."""
    return f"rate(pilotfish_{name}{{{where}}}[$__rate_interval])"
