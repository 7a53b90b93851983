from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given

from sidecar.core.errors import InvalidError
from sidecar.core.evidence import Evidence
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.table import DEFAULT, MEASURES, find_measure, measure_all
from tests.support.made_answers import ANSWERS, INPUTS, known, labelled, measured, pools, validated
from tests.support.made_evidence import evidence, noisy, profile

RNG = np.random.default_rng(2)
ROWS = RNG.normal(size=(600, 2))
SHARES = RNG.dirichlet(np.ones(2), size=(3, 50))
FULL = evidence([validated(*labelled(2, 90, 1.0, RNG), "ab") for _ in range(3)], ROWS, SHARES)


def reason(of: Evidence, candidate: int, name: str) -> str:
    found = measure_all(of, [name])[candidate][0]
    assert found.estimate is None
    return found.reason


def test_the_values_come_in_the_order_of_the_names() -> None:
    found = measure_all(FULL, ["jsd", "margin", "adaptivity"])
    assert [[one.name for one in values] for values in found] == [["jsd", "margin", "adaptivity"]] * 3
    assert [one.name for one in measure_all(FULL)[0]] == list(DEFAULT)


def test_an_unknown_measure_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidError, match="there is no measure 'marginn': did you mean 'margin'"):
        measure_all(FULL, ["marginn"])
    with pytest.raises(InvalidError, match="use one of adaptivity"):
        find_measure("zzzzzzzzz")


@given(pools())
def test_a_candidate_that_lacks_something_changes_nothing_for_the_others(pool: Evidence) -> None:
    without = dataclasses.replace(
        pool,
        profiles=(*pool.profiles[:-1], None),
        targets=(*pool.targets[:-1], None),
        thresholds=(*pool.thresholds[:-1], None),
        energies=(*pool.energies[:-1], None),
    )
    own = {
        measure.name
        for measure in MEASURES
        if measure.requires & {Need.PROFILE, Need.VALIDATION, Need.ENERGY}
    }
    names = [name for name in ANSWERS if name in own]
    alone = measure_all(pool.of(range(len(pool.profiles) - 1)), names)
    found = measure_all(without, names)
    assert found[:-1] == alone
    assert all(one.estimate is None and one.reason for one in found[-1])


def test_candidates_known_by_their_answers_only_are_compared_by_them() -> None:
    truth = RNG.integers(3, size=200)
    votes = np.stack([noisy(truth, accuracy, 3, RNG) for accuracy in (0.9, 0.7, 0.5)])
    hard = dataclasses.replace(known(np.eye(3)[votes]), hard=True)
    for name in ("agreement", "ensv", "aline", "dawid_skene_flat", "dawid_skene"):
        values = [one.value for one in measured(hard, name)]
        assert values == sorted(values, reverse=True)
    for name in INPUTS:
        assert "known by its answers only" in reason(hard, 0, name)
    for name in ("confidence", "entropy", "margin", "nuclear_norm", "mano"):
        assert "classes only" in reason(hard, 0, name)
    for name in ("doc", "source_accuracy", "bbse"):
        assert "validation" in reason(hard, 0, name)
    assert "logits" in reason(hard, 0, "energy")


def test_a_pool_that_is_too_small_is_said() -> None:
    for name in ("agreement", "ensv", "dawid_skene", "dawid_skene_flat"):
        assert "no other candidate" in reason(FULL.of([0]), 0, name)
    assert "2 candidates can be compared; 3 are needed" in reason(FULL.of([0, 1]), 0, "aline")


def test_an_empty_window_leaves_the_source_accuracy_only() -> None:
    empty = evidence([FULL.sources[0][0]] * 3, ROWS[:0], SHARES[:, :0])
    empty = dataclasses.replace(empty, energies=(np.zeros(0),) * 3)
    found = measure_all(empty, [measure.name for measure in MEASURES])
    assert [one.name for one in found[0] if one.estimate is not None] == ["source_accuracy"]
    assert all(one.reason for one in found[0] if one.estimate is None)


def test_a_source_of_one_partition_has_no_thresholds() -> None:
    small = evidence([profile(ROWS[:100])], ROWS, SHARES[:1])
    for measure in MEASURES:
        if Need.SOURCE_PARTITIONS in measure.requires:
            assert "one partition" in reason(small, 0, measure.name)


def test_candidates_without_classes_have_the_measures_of_their_inputs_only() -> None:
    found = evidence([profile(ROWS, ())] * 3, ROWS, np.zeros((3, 50, 0)), ())
    for name in ANSWERS:
        assert reason(found, 0, name) == "the candidates give no classes"
    for name in ("adaptivity", "feature_coverage", "moment_shift", "mmd"):
        assert measured(found, name)
