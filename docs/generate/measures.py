"""The page of measures, from the table that computes them."""

from __future__ import annotations

from docs.generate.markdown import code, table
from sidecar.estimation.measures.measure import Measure
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.table import MEASURES

_HEAD = """# Measures

A measure is a number about one candidate and the window that needs no labels. `ExplainCandidate` returns
the measures of a candidate, and the metric `pilotfish_candidate_measure` has them. They explain a ranking
and do not change its order. `ranking.measures` in the configuration chooses which measures are computed;
the default is those marked "yes" below. `pilotfish measures` prints this table.

In the formulas and costs, C is the number of candidates, n of items, K of classes, d of features, S of
source partitions and T of target partitions. S_i is the i-th source partition, T_j the j-th partition of
the live traffic.

"""


def page() -> str:
    """The whole page."""
    heads = ("measure", "formula", "better", "default", "what it needs", "operations a round")
    return _HEAD + table(heads, map(_row, MEASURES))


def _row(measure: Measure) -> tuple[str, ...]:
    needs = ", ".join(need.value for need in Need if need in measure.requires)
    better = "high" if measure.direction > 0 else "low"
    default = "yes" if measure.default else "no"
    return code(measure.name), code(measure.formula), better, default, needs, code(str(measure.cost))
