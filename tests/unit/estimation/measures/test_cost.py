"""A measure that costs too much is left out with a reason, unless it is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sidecar.core.evidence import Evidence
from sidecar.estimation.measures import table
from sidecar.estimation.measures.cost import ROUND_S, SHARE, Cost, sizes
from sidecar.estimation.measures.measure import Measure
from sidecar.estimation.measures.table import DEFAULT, MEASURES, find_measure, measure_all
from tests.support.made_answers import known, labelled, validated
from tests.support.made_evidence import evidence

RNG = np.random.default_rng(2)
ROWS = RNG.normal(size=(600, 2))
SHARES = RNG.dirichlet(np.ones(2), size=(3, 50))
POOL = evidence([validated(*labelled(2, 90, 1.0, RNG), "ab") for _ in range(3)], ROWS, SHARES)
ISSUE = {**sizes(POOL), "C": 20, "n": 4096, "K": 1000}


def test_a_cost_is_a_sum_of_products_and_its_text_says_which() -> None:
    cost = Cost({"C n K^2": 2.0, "50 C": 1.0})
    assert str(cost) == "C n K^2 + 50 C"
    assert cost.seconds({"C": 3, "n": 5, "K": 7}) == pytest.approx((2 * 3 * 5 * 49 + 150) * 1e-9)


def test_what_fits_has_no_reason_and_what_does_not_says_how_much_and_what_to_do() -> None:
    cost = Cost({"C": 1e9})
    assert cost.excess({"C": 0}) == ""
    assert Cost({"C": 0.99 * SHARE * ROUND_S * 1e9}).excess({"C": 1}) == ""
    assert cost.excess({"C": 6}) == (
        "not computed: it would take about 200% of the 3 s of processor time that a round may take; "
        "to have it, name it in ranking.measures"
    )


def test_the_sizes_are_those_of_the_round() -> None:
    found = sizes(POOL)
    assert [found[name] for name in ("C", "n", "K", "d", "T", "V")] == [3, 50, 2, 2, 6, 90]
    assert sizes(known(SHARES)) | {"V": 90} == {**found, "d": 0, "S": 0, "T": 0}


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
def test_every_cost_is_a_function_of_known_sizes(measure: Measure) -> None:
    assert 0 < measure.cost.seconds(ISSUE) < measure.cost.seconds({**ISSUE, "C": 40})


def test_at_many_classes_the_default_measures_fit_a_round_but_two() -> None:
    left_out = {name for name in DEFAULT if find_measure(name).cost.excess(ISSUE)}
    assert left_out == {"bbse", "nuclear_norm"}
    kept = sum(find_measure(name).cost.seconds(ISSUE) for name in DEFAULT if name not in left_out)
    assert kept < ROUND_S
    assert not any(find_measure(name).cost.excess({**ISSUE, "K": 64}) for name in DEFAULT)


@pytest.fixture
def dear(monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """A pool for which one default measure costs too much."""
    costly = dataclasses.replace(find_measure("entropy"), cost=Cost({"C n K": 1e9}))
    monkeypatch.setitem(table._BY_NAME, "entropy", costly)
    return POOL


def test_a_default_measure_over_the_budget_is_left_out_with_the_reason(dear: Evidence) -> None:
    for values in measure_all(dear):
        found = {one.name: one for one in values}
        assert list(found) == list(DEFAULT)
        assert found["entropy"].estimate is None
        assert found["entropy"].reason.startswith("not computed: it would take about")
        assert found["margin"].estimate is not None


def test_a_measure_that_is_named_is_computed_whatever_it_costs(dear: Evidence) -> None:
    assert all(values[0].estimate is not None for values in measure_all(dear, ["entropy"]))


def test_what_is_missing_is_said_rather_than_what_it_costs(dear: Evidence) -> None:
    hard = dataclasses.replace(dear, hard=True)
    assert {one.name: one.reason for one in measure_all(hard)[0]}["entropy"] == (
        "the answers are classes only, without probabilities"
    )


def test_signs_of_life_come_between_measures_and_candidates() -> None:
    signs: list[None] = []
    measure_all(POOL, ["entropy", "margin", "agreement"], lambda: signs.append(None))
    assert len(signs) == 2 * 3 + 1
