"""One row of the table of measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.estimation.measures.cost import Cost
from sidecar.estimation.measures.needs import Need


@dataclass(frozen=True, slots=True)
class Measure:
    """A label-free number about one candidate and the window.

    Attributes:
        name: its name on the wire and in the configuration.
        formula: its definition, in words and symbols.
        requires: what must be there. A candidate that lacks some of it gets the reason, and the others are
            measured without it.
        direction: +1 where a higher value speaks for the candidate, -1 where a lower value does.
        cost: processor time per round as a function of its sizes, see `sidecar.estimation.measures.cost`.
        compute: returns the estimate of each candidate, or the reason why there is none. Every candidate
            in the evidence that it gets has all of `requires`.
        estimates_accuracy: whether the value is an estimate of the share of right answers.
        default: whether the measure is computed if the configuration names no measures and the round can
            afford it.
    """

    name: str
    formula: str
    requires: frozenset[Need]
    direction: int
    cost: Cost
    compute: Callable[[Evidence], tuple[Estimate | str, ...]]
    estimates_accuracy: bool = False
    default: bool = True

    @property
    def looks_alone(self) -> bool:
        """Whether the measure reads a candidate's probabilities and nothing of other candidates."""
        return Need.PROBABILITIES in self.requires and not self.requires & {Need.POOL, Need.TRIO}
