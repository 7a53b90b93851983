"""All measures, and their computation on the evidence of one round.

To add a measure, add its row to `input_measures` or `answer_measures`, and its name to
`sidecar.core.measure_names`, which is for code that names measures and computes none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from sidecar.core.evidence import Evidence
from sidecar.core.measure_names import MEASURE_NAMES, known_measure
from sidecar.core.ranking import Estimate, MeasureValue
from sidecar.estimation.measures.answer_measures import ANSWER_MEASURES
from sidecar.estimation.measures.cost import sizes
from sidecar.estimation.measures.input_measures import INPUT_MEASURES
from sidecar.estimation.measures.measure import Measure
from sidecar.estimation.measures.needs import own_lack, pool_lack

MEASURES: Final = (*INPUT_MEASURES, *ANSWER_MEASURES)
_BY_NAME: Final = {measure.name: measure for measure in MEASURES}
DEFAULT: Final = tuple(measure.name for measure in MEASURES if measure.default)
if [(measure.name, measure.default) for measure in MEASURES] != [*MEASURE_NAMES.items()]:
    raise AssertionError(
        "sidecar.core.measure_names differs from the table of measures in a name, a default or the order: "
        "change it to match the table"
    )


def find_measure(name: str) -> Measure:
    """Returns the measure of a name.

    Raises:
        InvalidError: there is no such measure; the error names the nearest one.
    """
    return _BY_NAME[known_measure(name)]


def measure_all(
    evidence: Evidence, names: Collection[str] | None = None, alive: Callable[[], None] = lambda: None
) -> tuple[tuple[MeasureValue, ...], ...]:
    """Computes measures, each on the candidates that have what it requires.

    Args:
        evidence: the evidence of one round.
        names: names of the measures to compute, whatever they cost. None computes the default measures; a
            default measure that would take too much of a round has a reason in place of a value.
        alive: called between one piece of work and the next.

    Returns:
        the values of each candidate, in the order of `names`.

    Raises:
        InvalidError: a name is unknown.
    """
    wanted = [find_measure(name) for name in (DEFAULT if names is None else names)]
    of = sizes(evidence)
    columns = [
        _Column(measure, evidence, "" if names is not None else measure.cost.excess(of)) for measure in wanted
    ]
    alone = [column for column in columns if column.measure.looks_alone]
    for candidate in sorted({index for column in alone for index in column.able}):
        # All measures that read every probability of a candidate run while these are in memory.
        held = evidence.held(candidate)
        for column in alone:
            if candidate in column.able:
                column.answers[candidate] = column.measure.compute(held)[0]
                alive()
    for column in columns:
        if column not in alone and column.able:
            part = evidence if len(column.able) == len(evidence.profiles) else evidence.of(column.able)
            column.answers |= zip(column.able, column.measure.compute(part), strict=True)
            alive()
    return tuple(tuple(column.value(index) for column in columns) for index in range(len(evidence.profiles)))


class _Column:
    """One measure of every candidate: which candidates have what it requires, and their values."""

    def __init__(self, measure: Measure, evidence: Evidence, excess: str) -> None:
        candidates = range(len(evidence.profiles))
        reasons = [own_lack(evidence, index, measure.requires) or excess for index in candidates]
        able = [index for index in candidates if not reasons[index]]
        few = pool_lack(len(able), measure.requires)
        self.measure = measure
        self.able = [] if few else able
        self.answers: dict[int, Estimate | str] = {index: reasons[index] or few for index in candidates}

    def value(self, candidate: int) -> MeasureValue:
        """Returns the value of a candidate, or the reason why there is none."""
        answer = self.answers[candidate]
        estimate, why = (None, answer) if isinstance(answer, str) else (answer, "")
        return MeasureValue(self.measure.name, self.measure.direction, estimate, why)
