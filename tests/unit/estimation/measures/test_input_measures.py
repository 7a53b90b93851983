"""Measures over the inputs: each against an oracle, and what holds for all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon, pdist

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.adaptivity import REFERENCE_TAU, adaptivity, coverage, feature_coverage
from sidecar.estimation.measures.divergence import jsd
from sidecar.estimation.measures.graded import graded_adaptivity
from sidecar.estimation.measures.hellinger import hellinger
from sidecar.estimation.measures.histograms import reference_counts
from sidecar.estimation.measures.jsd import divergence
from sidecar.estimation.measures.l2d import l2_distance
from sidecar.estimation.measures.mmd import mmd, squared_mmd
from sidecar.estimation.measures.shift import shift
from tests.support.made_evidence import ROWS, evidence, profile, target

RNG = np.random.default_rng(11)
SOURCE_ROWS = RNG.normal(size=(6 * ROWS, 3))
SOURCE = profile(SOURCE_ROWS)
OTHER = profile(RNG.normal(1, 2, size=(4 * ROWS, 3)))
WINDOW = RNG.normal(0.3, 1.2, size=(5 * ROWS, 3))
NEAR = (adaptivity, coverage, feature_coverage, graded_adaptivity)
FAR = (divergence, l2_distance, shift, hellinger, mmd)
Measure = Callable[[Evidence], tuple[Estimate, ...]]


def seen(rows: Floats, *sources: object) -> Evidence:
    found = list(sources) or [SOURCE]
    return evidence(found, rows, np.full((len(found), 1, 2), 0.5))  # type: ignore[arg-type]


def value(measure: Measure, rows: Floats, *sources: object) -> float:
    return measure(seen(rows, *sources))[0].value


# What follows to the next line of this kind is written from the publication's definitions alone.


def published_histogram(rows: Floats) -> Floats:
    flat = rows.reshape(-1)
    unit = (flat - flat.min()) / (flat.max() - flat.min())
    counts, _ = np.histogram(unit, bins=100, range=(0.0, 1.0))
    return np.asarray(counts / counts.sum())


def published_jsd(first: Floats, second: Floats) -> float:
    total = 0.0
    for p, q in zip(first.tolist(), second.tolist(), strict=True):
        middle = (p + q) / 2
        total += (p * math.log(p / middle) if p else 0) + (q * math.log(q / middle) if q else 0)
    return total / 2


def published_adaptivity(source: Floats, target: Floats, size: int, tau: float) -> float:
    stored, live = (
        [published_histogram(rows[first : first + size]) for first in range(0, len(rows), size)]
        for rows in (source, target)
    )
    return sum(published_jsd(s, t) < tau for s in stored for t in live) / len(live)


def published_l2d(source: Floats, target: Floats) -> float:
    means = [
        (rows.mean(axis=0) - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0))
        for rows in (source, target)
    ]
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(*means, strict=True)))


# Here they end.


def spanning(rows: Floats) -> Floats:
    """Puts least and greatest value of every feature to 0 and 1, where all ways of scaling are one."""
    return np.asarray((rows - rows.min(axis=0)) / (rows.max(axis=0) - rows.min(axis=0)))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.3, 4))
def test_reference_adaptivity_jsd_and_l2d_are_the_published_ones(seed: int, width: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    source = spanning(rng.random((4 * ROWS, width)))
    target = spanning(rng.random((3 * ROWS, width)) ** power)
    kept = profile(source)
    wanted = published_adaptivity(source, target, ROWS, REFERENCE_TAU)
    assert value(adaptivity, target, kept) == pytest.approx(wanted, abs=1e-12)
    wanted = published_jsd(published_histogram(source), published_histogram(target))
    assert value(divergence, target, kept) == pytest.approx(wanted, abs=1e-12)
    assert value(l2_distance, target, kept) == pytest.approx(published_l2d(source, target), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-5, 5), st.floats(0.1, 9))
def test_the_published_histograms_and_divergence_hold_on_any_scale(
    seed: int, place: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(80, 3)), rng.normal(place, scale, size=(60, 3))
    wanted = published_jsd(published_histogram(first), published_histogram(second))
    found = jsd(reference_counts(first), reference_counts(second))
    assert float(found) == pytest.approx(wanted, abs=1e-12)


def test_shift_is_the_root_mean_square_of_standardised_differences_less_their_noise() -> None:
    apart = (WINDOW.mean(axis=0) - SOURCE_ROWS.mean(axis=0)) / SOURCE_ROWS.std(axis=0)
    noise = 1 / len(WINDOW) + 1 / len(SOURCE_ROWS)
    assert value(shift, WINDOW) == pytest.approx(math.sqrt((apart**2).mean() - noise), rel=1e-12)


def test_the_square_of_shift_has_no_bias() -> None:
    rng = np.random.default_rng(0)
    source = profile(rng.normal(size=(300 * ROWS, 2)))
    one = seen(rng.normal(size=(ROWS, 2)), source)
    windows = (target(rng.normal([0.3, 0], 1, size=(ROWS, 2)), source) for _ in range(300))
    # Their thresholds are the same, and dear.
    found = [shift(dataclasses.replace(one, targets=(window,)))[0].value ** 2 for window in windows]
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(0.3**2 / 2, abs=4 * error)
    # Without the correction it would be off by 1 / ROWS.
    assert error < 1 / ROWS / 5


def test_a_constant_feature_that_moves_a_little_does_not_outweigh_the_others() -> None:
    flat = profile(SOURCE_ROWS * [1, 1, 0])
    nudged = SOURCE_ROWS * [1, 1, 0] + np.array([0, 0, 1e-4])
    assert value(shift, nudged, flat) < 0.02
    assert value(shift, nudged + np.array([0, 0, 1]), flat) > 10


def test_hellinger_is_the_distance_of_root_shares() -> None:
    target = seen(WINDOW).sources[0][1]
    p, q = (counts.sum(axis=0) / counts.sum() for counts in (SOURCE.pooled, target.pooled))
    wanted = np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2)
    assert value(hellinger, WINDOW) == pytest.approx(wanted, abs=1e-12)


def test_squared_mmd_is_the_mean_over_different_pairs() -> None:
    first, second = RNG.normal(size=(9, 256)), RNG.normal(size=(7, 256))
    first, second = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second))

    def pairs(rows: Floats) -> float:
        return float(np.mean([a @ b for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]))

    across = np.mean([a @ b for a, b in product(first, second)])
    found = squared_mmd(first.mean(axis=0), 9, second.mean(axis=0), 7)
    assert float(found) == pytest.approx(pairs(first) + pairs(second) - 2 * across, abs=1e-12)


def test_mmd_is_that_of_the_gaussian_kernel() -> None:
    rng = np.random.default_rng(3)
    rows, live = rng.normal(size=(3 * ROWS, 4)), rng.normal(0.8, 1, size=(3 * ROWS, 4))
    standard = [(part - rows.mean(axis=0)) / rows.std(axis=0) for part in (rows, live)]

    def kernel(part: Floats) -> Floats:
        return np.asarray(np.exp(-(pdist(part) ** 2) / (2 * 4)))

    count = len(rows)
    joint = kernel(np.vstack(standard)).sum() - sum(kernel(part).sum() for part in standard)
    wanted = kernel(standard[0]).mean() + kernel(standard[1]).mean() - 2 * joint / count**2
    # 128 random frequencies give the kernel up to about a tenth of its value.
    assert value(mmd, live, profile(rows)) == pytest.approx(wanted, rel=0.2)


def test_mmd_of_one_distribution_is_zero_on_average() -> None:
    rng = np.random.default_rng(2)
    source = profile(rng.normal(size=(40 * ROWS, 3)))
    found = [value(mmd, rng.normal(size=(2 * ROWS, 3)), source) for _ in range(60)]
    assert abs(np.mean(found)) < 4 * np.std(found) / len(found) ** 0.5
    assert min(found) < 0


def test_graded_adaptivity_is_the_brute_force_mean() -> None:
    def squared(p: Array, q: Array) -> float:
        return 1 - float(np.sqrt(p / p.sum() * q / q.sum()).sum())

    target = seen(WINDOW).sources[0][1]
    stored = SOURCE.pooled
    scores = []
    for part, rows in zip(target.pooled, np.split(WINDOW, 5), strict=True):
        moved = math.hypot(*((rows.mean(axis=0) - SOURCE.mean) / SOURCE_ROWS.std(axis=0))) / math.sqrt(3)
        apart = min(squared(one, part) for one in stored) * (1 + moved)
        for index, one in enumerate(stored):
            own = min(squared(one, other) for place, other in enumerate(stored) if place != index)
            scores.append(own / (own + apart))
    assert value(graded_adaptivity, WINDOW) == pytest.approx(np.mean(scores), abs=1e-12)


def test_graded_adaptivity_is_about_a_half_for_traffic_like_the_source() -> None:
    rng = np.random.default_rng(4)
    source = profile(rng.normal(size=(10 * ROWS, 3)))
    found = [value(graded_adaptivity, rng.normal(size=(4 * ROWS, 3)), source) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_graded_adaptivity_tells_apart_what_coverage_and_divergence_cannot() -> None:
    far, farther = WINDOW + 50, WINDOW + 60
    assert value(coverage, far) == value(coverage, farther) == 0
    assert value(divergence, far) == value(divergence, farther) == pytest.approx(math.log(2))
    assert value(graded_adaptivity, far) > value(graded_adaptivity, farther) > 0


@pytest.mark.parametrize("measure", NEAR + FAR)
@given(order=st.permutations(range(ROWS)))
@settings(max_examples=10)
def test_the_order_of_items_within_partitions_changes_nothing(measure: Measure, order: list[int]) -> None:
    moved = WINDOW.reshape(5, ROWS, 3)[:, order].reshape(-1, 3)
    assert value(measure, moved) == pytest.approx(value(measure, WINDOW), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("measure", NEAR + FAR)
@given(order=st.permutations(range(5)))
@settings(max_examples=10)
def test_the_order_of_partitions_changes_nothing(measure: Measure, order: list[int]) -> None:
    moved = WINDOW.reshape(5, ROWS, 3)[order].reshape(-1, 3)
    assert value(measure, moved) == pytest.approx(value(measure, WINDOW), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("measure", NEAR + FAR)
def test_candidates_are_measured_alike_in_any_order_and_company(measure: Measure) -> None:
    both = measure(seen(WINDOW, SOURCE, OTHER))
    assert measure(seen(WINDOW, OTHER, SOURCE)) == both[::-1]
    assert (*measure(seen(WINDOW, SOURCE)), *measure(seen(WINDOW, OTHER))) == both


@pytest.mark.parametrize("measure", [*FAR, graded_adaptivity, coverage, feature_coverage])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_growing_shift_speaks_ever_more_against_the_candidate(measure: Measure, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(3 * ROWS, 3))
    sign = 1 if measure in FAR else -1
    values = [sign * value(measure, rows + step) for step in (0.0, 0.5, 1.0, 2.0)]
    # A coverage of nothing stays nothing.
    assert all(later >= sooner for sooner, later in pairwise(values))
    assert values[-1] > values[0]


@pytest.mark.parametrize("measure", NEAR + FAR)
@pytest.mark.parametrize(
    "rows",
    [np.zeros((2 * ROWS, 3)), np.full((2 * ROWS, 3), 7.5), np.full((2 * ROWS, 3), -1e30), SOURCE_ROWS],
)
@pytest.mark.parametrize("source", [SOURCE, profile(np.full((2 * ROWS, 3), 7.5))])
def test_constant_features_and_huge_values_give_finite_values_within_their_intervals(
    measure: Measure, rows: Floats, source: object
) -> None:
    found = measure(seen(rows, source))[0]
    assert math.isfinite(found.value)
    assert found.low <= found.value <= found.high


def test_jsd_of_a_candidate_is_scipys_on_its_partitions_sums() -> None:
    target = seen(WINDOW).sources[0][1]
    wanted = jensenshannon(SOURCE.pooled.sum(axis=0), target.pooled.sum(axis=0)) ** 2
    assert value(divergence, WINDOW) == pytest.approx(wanted, abs=1e-12)
