"""The written-out table of measures. A measure is added by one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidecar.domain.evidence import Evidence
from sidecar.domain.ranking import Estimate, MeasureValue
from sidecar.measures.adaptivity import adaptivity, coverage, feature_coverage
from sidecar.measures.agreement import agreement
from sidecar.measures.confidence import confidence
from sidecar.measures.entropy import entropy
from sidecar.measures.jsd import divergence
from sidecar.measures.l2d import l2_distance


@dataclass(frozen=True, slots=True)
class Measure:
    """A label-free number about one candidate and the window.

    Attributes:
        name: as on the wire.
        formula: what it is, in words and symbols.
        needs: what must be there; where it is not, the answer is a reason.
        direction: +1 where higher speaks for the candidate, -1 where lower does.
        cost: operations a round; C candidates, n items, K classes, d features, S and T partitions.
        compute: gives each candidate's estimate, or the reason why there is none.
    """

    name: str
    formula: str
    needs: str
    direction: int
    cost: str
    compute: Callable[[Evidence], tuple[Estimate | str, ...]]


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        name="adaptivity",
        formula="#{(i, j): JSD(S_i, T_j) < 0.1} / #T, partitions scaled by themselves",
        needs="one full target partition",
        direction=1,
        cost="C S T bins",
        compute=adaptivity,
    ),
    Measure(
        name="coverage",
        formula="share of T_j with any JSD(S_i, T_j) < tau, scaled by the source's range",
        needs="one full target partition, two source partitions",
        direction=1,
        cost="C S T bins",
        compute=coverage,
    ),
    Measure(
        name="feature_coverage",
        formula="mean over features and T_j of [JSD(feature of T_j, feature of S) <= tau_feature]",
        needs="one full target partition, two source partitions, feature histograms",
        direction=1,
        cost="C T d bins",
        compute=feature_coverage,
    ),
    Measure(
        name="jsd",
        formula="JSD(S, T), scaled by the source's range, nats",
        needs="two full target partitions",
        direction=-1,
        cost="C T bins",
        compute=divergence,
    ),
    Measure(
        name="l2d",
        formula="|mean(T) - mean(S)|, features scaled to the source's range",
        needs="one item",
        direction=-1,
        cost="C d",
        compute=l2_distance,
    ),
    Measure(
        name="confidence",
        formula="mean max p",
        needs="one item",
        direction=1,
        cost="C n K",
        compute=confidence,
    ),
    Measure(
        name="entropy",
        formula="mean of -sum p ln p, nats",
        needs="one item",
        direction=-1,
        cost="C n K",
        compute=entropy,
    ),
    Measure(
        name="agreement",
        formula="mean share of the other candidates that answer the same class",
        needs="one item, two candidates",
        direction=1,
        cost="C n",
        compute=agreement,
    ),
)


def measure_all(evidence: Evidence) -> tuple[tuple[MeasureValue, ...], ...]:
    """Computes every measure.

    Returns:
        for each candidate its values, in the table's order.
    """
    columns = [
        [
            MeasureValue(measure.name, measure.direction, None, answer)
            if isinstance(answer, str)
            else MeasureValue(measure.name, measure.direction, answer)
            for answer in measure.compute(evidence)
        ]
        for measure in MEASURES
    ]
    return tuple(zip(*columns, strict=True))
