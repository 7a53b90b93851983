"""What a ranking is judged on: the candidates' evidence about one target, and the truth it never sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Ranking
from sidecar.core.tensors import Array


@dataclass(frozen=True, slots=True)
class Case:
    """One target; C candidates, n items.

    Attributes:
        workload: its name.
        source: the file's name without its ending.
        target: the domain's name.
        quality: `accuracy`, or `f1` of the target's rarest class.
        names: of the candidates that can be compared, C of them.
        sources: the source domain of each; empty where nothing is known of it.
        evidence: what the ranking sees.
        truth: the items' true classes as places in `evidence.labels` [n]; -1 where it has no such class.
        rank: makes the default ranking, as the release does.
        unavailable: why the others cannot be compared, by name.
        rank_part: makes it from the items of these numbers alone; None where that takes their inputs.
        segments: the kind of traffic of each item, which the ranking never sees [n]; None where unknown.
    """

    workload: str
    source: str
    target: str
    quality: Literal["accuracy", "f1"]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    evidence: Evidence
    truth: Array
    rank: Callable[[], Ranking]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    rank_part: Callable[[Array], Ranking] | None = None
    segments: Array | None = None
