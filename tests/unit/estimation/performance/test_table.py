from __future__ import annotations

import numpy as np
import pytest

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.source import Source, log_metric
from sidecar.estimation.performance.table import PerformanceTable, merged
from tests.support.performance_system import SPACE

CODES = SPACE.every()[:4]


def table(values: list[float], name: str = "latency_s", codes: Floats = CODES) -> PerformanceTable:
    return PerformanceTable(SPACE, {"machine": "a"}, codes, {name: np.array(values)})


@pytest.mark.parametrize("name", ["latency", "latency_ms", "power_consumption", "s", "latency_s_middle"])
def test_a_metric_without_a_unit_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match=f"metric '{name}' does not say its unit: let the name end in"):
        table([1, 2, 3, 4], name)


@pytest.mark.parametrize("name", ["latency_p99_s", "memory_bytes", "throughput_per_s", "latency_s_low"])
def test_a_metric_with_a_unit_is_taken(name: str) -> None:
    assert table([1, 2, 3, 4], name).metric(name).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf])
def test_a_measurement_that_is_no_number_above_zero_is_named_by_row(value: float) -> None:
    with pytest.raises(InvalidError, match=f"'latency_s' is {value:g} in data row 3"):
        table([1, 2, value, 4])


def test_a_metric_that_is_the_same_everywhere_cannot_be_learned() -> None:
    with pytest.raises(InvalidError, match="'latency_s' is 2 in all 4 rows of a: no option moves it"):
        Source.learn(table([2, 2, 2, 2]), "latency_s")


def test_an_unknown_metric_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidError, match="no metric 'latency'; it has latency_s"):
        log_metric(table([1, 2, 3, 4]), "latency")


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidError, match="one value for each of 4"):
        table([1, 2])
    with pytest.raises(InvalidError, match="give 5 options each"):
        table([1, 2, 3, 4], codes=CODES[:, :2])
    with pytest.raises(InvalidError, match="no metric: add a column"):
        PerformanceTable(SPACE, {}, CODES, {})


def test_repetitions_become_their_median() -> None:
    codes = CODES[[0, 1, 0, 0]]
    joined = merged(table([1.0, 5.0, 1.2, 1.1], codes=codes), np.arange(1, 5))
    assert joined.metric("latency_s").tolist() == [1.1, 5.0]
    assert (joined.codes == CODES[:2]).all()


def test_repetitions_that_disagree_are_named_by_row() -> None:
    message = "is 1 in data row 10 and 3 in data row 30, which have the same configuration"
    with pytest.raises(InvalidError, match=message):
        merged(table([1.0, 5.0, 3.0, 1.1], codes=CODES[[0, 1, 0, 0]]), np.array([10, 20, 30, 40]))
