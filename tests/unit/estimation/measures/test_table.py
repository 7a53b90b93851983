from __future__ import annotations

import dataclasses
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import MeasureValue
from sidecar.estimation.measures.adaptivity import REFERENCE_TAU, shifted_columns
from sidecar.estimation.measures.needs import Need
from sidecar.estimation.measures.table import MEASURES, measure_all
from tests.support.made_evidence import ROWS, evidence, profile

RNG = np.random.default_rng(7)
ALIKE = profile(RNG.normal(size=(6 * ROWS, 3)))
APART = profile(RNG.uniform(5, 6, size=(4 * ROWS, 3)))
WINDOW = RNG.normal(size=(5 * ROWS, 3))
ANSWERS = RNG.dirichlet(np.ones(2), size=(2, 40))
EVIDENCE = evidence([ALIKE, APART], WINDOW, ANSWERS)
# The inputs are no text, the answers no logits, there is no validation and no third candidate.
NOT_HERE = {"word_jsd", "word_adaptivity", "energy", "aline"} | {
    measure.name for measure in MEASURES if Need.VALIDATION in measure.requires
}


def by_name(found: tuple[MeasureValue, ...]) -> dict[str, MeasureValue]:
    return {value.name: value for value in found}


def value(of: Evidence, candidate: int, name: str) -> float:
    estimate = by_name(measure_all(of)[candidate])[name].estimate
    assert estimate is not None
    return estimate.value


def reason(of: Evidence, candidate: int, name: str) -> str:
    found = by_name(measure_all(of)[candidate])[name]
    assert found.estimate is None
    return found.reason


def test_names_are_unique_and_directions_are_signs() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    assert {measure.direction for measure in MEASURES} == {-1, 1}


def test_all_values_lie_in_open_intervals() -> None:
    for found in measure_all(EVIDENCE):
        for measured in found:
            if measured.estimate is None:
                assert measured.name in NOT_HERE
                continue
            assert measured.estimate.low <= measured.estimate.value <= measured.estimate.high
            # The uniform source and the window share no bin: nothing is left that could vary.
            if measured.estimate.value not in [pytest.approx(math.log(2)), pytest.approx(1)]:
                assert measured.estimate.low < measured.estimate.high


@pytest.mark.parametrize("candidate", [0, 1])
def test_adaptivity_is_the_brute_force_count(candidate: int) -> None:
    source, target = EVIDENCE.sources[candidate]
    sources, targets = source.reference, target.reference
    found = sum(jensenshannon(s, t) ** 2 < REFERENCE_TAU for s, t in product(sources, targets))
    assert value(EVIDENCE, candidate, "adaptivity") == pytest.approx(found / len(targets))


def test_adaptivity_keeps_apart_windows_that_were_cut_differently() -> None:
    mixed = dataclasses.replace(
        EVIDENCE, targets=(EVIDENCE.targets[0], evidence([APART], WINDOW[30:], ANSWERS[1:]).targets[0])
    )
    together = [value(mixed, index, "adaptivity") for index in (0, 1)]
    assert together == [value(mixed.of([index]), 0, "adaptivity") for index in (0, 1)]


def test_coverage_is_the_brute_force_share() -> None:
    sources, targets = ALIKE.pooled, EVIDENCE.sources[0][1].pooled
    tau = EVIDENCE.limits[0].pooled
    found = [any(jensenshannon(s, t) ** 2 < tau for s in sources) for t in targets]
    assert value(EVIDENCE, 0, "coverage") == pytest.approx(np.mean(found))


def test_coverage_tells_like_from_unlike_and_sees_scale() -> None:
    for name in ("coverage", "feature_coverage"):
        assert value(EVIDENCE, 0, name) > 0.7
        assert value(EVIDENCE, 1, name) < 0.1
        assert value(evidence([ALIKE], WINDOW * 40, ANSWERS[:1]), 0, name) < 0.1


def test_feature_coverage_is_the_brute_force_share() -> None:
    limits, target = EVIDENCE.limits[0].columns, EVIDENCE.sources[0][1]
    whole = ALIKE.feature_counts.sum(axis=0)
    found = [
        jensenshannon(part[feature], whole[feature]) ** 2 <= limits[feature]
        for part in target.feature_counts
        for feature in range(3)
    ]
    assert value(EVIDENCE, 0, "feature_coverage") == pytest.approx(np.mean(found))


def test_jsd_is_scipys_on_the_whole_histograms() -> None:
    whole = jensenshannon(ALIKE.pooled.sum(axis=0), EVIDENCE.sources[0][1].pooled.sum(axis=0)) ** 2
    assert value(EVIDENCE, 0, "jsd") == pytest.approx(whole)


def test_l2d_is_the_distance_of_scaled_means() -> None:
    spans = APART.high - APART.low
    scaled = (WINDOW.mean(axis=0) - APART.mean) / spans
    assert value(EVIDENCE, 1, "l2d") == pytest.approx(math.hypot(*scaled))


def test_l2d_of_a_constant_feature_keeps_its_unit() -> None:
    flat = profile(np.full((2 * ROWS, 1), 3.0))
    assert value(evidence([flat], np.full((ROWS, 1), 5.0), ANSWERS[:1]), 0, "l2d") == 2


def test_the_l2d_interval_covers_the_error_of_the_mean() -> None:
    rng = np.random.default_rng(1)
    source = profile(rng.normal(size=(50 * ROWS, 3)))
    truth = value(evidence([source], rng.normal(0.3, size=(200_000, 3)), ANSWERS[:1]), 0, "l2d")
    for _ in range(20):
        measured = measure_all(evidence([source], rng.normal(0.3, size=(2 * ROWS, 3)), ANSWERS[:1]))[0]
        estimate = by_name(measured)["l2d"].estimate
        assert estimate is not None
        assert estimate.low <= truth <= estimate.high


def test_answer_measures_follow_their_definitions() -> None:
    votes = ANSWERS.argmax(axis=2)
    for candidate in (0, 1):
        assert value(EVIDENCE, candidate, "confidence") == pytest.approx(
            ANSWERS[candidate].max(axis=1).mean()
        )
        assert value(EVIDENCE, candidate, "entropy") == pytest.approx(
            scipy_entropy(ANSWERS[candidate], axis=1).mean()
        )
        assert value(EVIDENCE, candidate, "agreement") == pytest.approx((votes[0] == votes[1]).mean())


@given(st.integers(2, 5), st.integers(1, 12), st.integers(0, 99))
def test_agreement_is_the_brute_force_share(candidates: int, items: int, seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(2), size=(candidates, items))
    votes = shares.argmax(axis=2)
    found = evidence([ALIKE] * candidates, WINDOW, shares)
    for one in range(candidates):
        others = [(votes[one] == votes[other]).mean() for other in range(candidates) if other != one]
        assert value(found, one, "agreement") == pytest.approx(np.mean(others))


@given(st.permutations(range(40)))
def test_the_order_of_items_changes_no_value(order: list[int]) -> None:
    shuffled = dataclasses.replace(EVIDENCE, probabilities=ANSWERS[:, order])
    for name in ("confidence", "entropy", "agreement"):
        assert value(shuffled, 0, name) == pytest.approx(value(EVIDENCE, 0, name))


def test_what_cannot_be_measured_has_a_reason() -> None:
    short = evidence([ALIKE, APART], WINDOW[: ROWS - 1], ANSWERS)
    for name in ("adaptivity", "coverage", "feature_coverage", "jsd"):
        assert "full partition" in reason(short, 0, name)
    assert "2 full" in reason(evidence([ALIKE], WINDOW[:ROWS], ANSWERS[:1]), 0, "jsd")
    assert "no other candidate" in reason(evidence([ALIKE], WINDOW, ANSWERS[:1]), 0, "agreement")
    single = evidence([profile(WINDOW[:ROWS])], WINDOW, ANSWERS[:1])
    for name in ("coverage", "feature_coverage"):
        assert "one partition" in reason(single, 0, name)


def test_an_empty_window_has_only_reasons() -> None:
    empty = evidence([ALIKE, APART], WINDOW[:0], ANSWERS[:, :0])
    assert all(found.estimate is None and found.reason for found in measure_all(empty)[0])


def test_too_many_features_have_no_histograms() -> None:
    source = dataclasses.replace(ALIKE, feature_edges=ALIKE.feature_edges[:0], feature_names=())
    source = dataclasses.replace(source, feature_counts=ALIKE.feature_counts[:, :0])
    wide = evidence([source], WINDOW, ANSWERS[:1])
    assert wide.sources[0][1].feature_counts.shape == (5, 0, 12)
    assert "too many features" in reason(wide, 0, "feature_coverage")
    assert shifted_columns(source, wide.targets[0], wide.thresholds[0]) == ()


def test_no_candidate_has_no_measures() -> None:
    assert measure_all(Evidence((), (), (), (), np.zeros((0, 0, 0)))) == ()


def test_shifted_columns_are_named_farthest_first() -> None:
    moved = WINDOW + np.array([0, 1.0, 9.0])
    target = evidence([ALIKE], moved, ANSWERS[:1])
    found = shifted_columns(ALIKE, target.targets[0], target.thresholds[0])
    assert [shift.name for shift in found] == ["f2", "f1"]
    assert found[0].outside_range == pytest.approx((moved[:, 2] > ALIKE.high[2]).mean())
    assert found[0].divergence > found[0].threshold


def test_at_most_ten_shifted_columns_are_named() -> None:
    source = profile(RNG.normal(size=(3 * ROWS, 12)))
    target = evidence([source], RNG.normal(9, size=(2 * ROWS, 12)), ANSWERS[:1])
    assert len(shifted_columns(source, target.targets[0], target.thresholds[0])) == 10
