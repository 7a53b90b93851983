from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.preference import value as room
from sidecar.core.preference.value import Lexicographic, Preferences, WeightedProduct, default_weights
from sidecar.core.tensors import Floats
from tests.support.frontier_cases import Case, cases


def drawn(case: Case, seed: int, count: int = 5) -> Floats:
    """Draws in which some values stay equal, so that draws tie."""
    rng = np.random.default_rng(seed)
    noise = np.exp(rng.normal(0, 0.5, (count, *case.points.shape)))
    return np.asarray(case.points * np.where(rng.random(noise.shape) < 0.5, 1.0, noise))


def split(best: list[set[int]], count: int) -> list[float]:
    return [sum((row in one) / len(one) for one in best) / len(best) for row in range(count)]


def consistent(found: Preferences) -> bool:
    return bool(np.isclose(found.p_best.sum(), 1) and (found.expected_regret >= 0).all())


@given(cases(most=6), st.integers(0, 2**32 - 1))
def test_a_weighted_product_is_the_formula(case: Case, seed: int) -> None:
    draws = drawn(case, seed)
    weights = default_weights(len(case.directions))
    first = case.directions[0]
    found = WeightedProduct(weights).values(draws, case.directions)
    for draw, values in zip(draws, found, strict=True):
        for x, value in zip(draw, values, strict=True):
            wanted = first * x[0]
            for k in range(1, len(weights)):
                wanted *= (x[k] / np.median(draws[..., k])) ** (first * case.directions[k] * weights[k])
            assert value == pytest.approx(wanted, rel=1e-9)


@given(cases(most=6), st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_its_preferences_are_counted_draw_by_draw(case: Case, seed: int, pairs: int) -> None:
    draws = drawn(case, seed)
    product = WeightedProduct(default_weights(len(case.directions)))
    values = product.values(draws, case.directions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_PAIRS", pairs)
        found_beats = product.p_beats(draws, case.directions)
    found = product.preferences(draws, case.directions)
    best = [set(np.flatnonzero(one == one.max()).tolist()) for one in values]
    assert found.p_best == pytest.approx(split(best, len(case.points)))
    assert found.expected_regret == pytest.approx((values.max(axis=1, keepdims=True) - values).mean(axis=0))
    beats = (values[:, :, None] > values[:, None]) + 0.5 * (values[:, :, None] == values[:, None])
    assert found_beats == pytest.approx(beats.mean(axis=0))
    assert consistent(found)


@given(cases(most=6), st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_neither_the_scale_of_weights_nor_the_units_of_later_objectives_matter(
    case: Case, seed: int, scale: float
) -> None:
    draws = drawn(case, seed)
    weights = default_weights(len(case.directions))
    units = np.ones(len(weights))
    units[1:] = 1000.0
    one = WeightedProduct(weights).values(draws, case.directions)
    other = WeightedProduct(tuple(scale * weight for weight in weights)).values(
        draws * units, case.directions
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_twice_the_latency_is_worth_five_percent_of_accuracy_wherever_it_is() -> None:
    latency = np.array([0.001, 0.002, 0.004, 1.0, 2.0])
    draws = np.stack([np.full(5, 0.8), latency], axis=1)[None]
    values = WeightedProduct(default_weights(2)).values(draws, (1, -1))[0]
    ratios = values[[0, 1, 3]] / values[[1, 2, 4]]
    assert ratios == pytest.approx([2**0.07] * 3)
    assert pytest.approx(1.05, abs=0.001) == 2**0.07
    assert values[2] == pytest.approx(0.8)


def test_where_the_first_objective_is_a_cost_regret_is_in_its_unit() -> None:
    draws = np.array([[[2.0, 0.9], [3.0, 0.9]]])
    found = WeightedProduct((1.0, 1.0)).preferences(draws, (-1, 1))
    assert found.p_best.tolist() == [1.0, 0.0]
    assert found.expected_regret == pytest.approx([0.0, 1.0])
    better = WeightedProduct((1.0, 1.0)).values(np.array([[[2.0, 0.9], [2.0, 0.8]]]), (-1, 1))[0]
    assert better[0] > better[1]


def test_a_weight_of_0_leaves_an_objective_out_whatever_its_values() -> None:
    draws = np.array([[[0.5, -1.0], [0.7, 0.0]]])
    assert WeightedProduct((1.0, 0.0)).values(draws, (1, -1)).tolist() == [[0.5, 0.7]]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0.0, 0.0), "sum to 0"),
        ((1.0, -1.0), "0 or more"),
        ((1.0, np.nan), "0 or more"),
        ((0.0, 1.0), "first objective's weight is 0"),
    ],
)
def test_wrong_weights_are_refused(weights: tuple[float, ...], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        WeightedProduct(weights)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ([[0.9, 1.0], [0.8, 0.0]], "objective 2 is 0 in row 2"),
        ([[-0.1, 1.0], [0.8, 1.0]], "objective 1 is -0.1 in row 1"),
        ([[0.9, np.inf], [0.8, 1.0]], "objective 2 is inf in row 1"),
        ([[0.9], [0.8]], "2 weights for 1 objectives"),
    ],
)
def test_values_that_cannot_be_multiplied_are_refused(draw: list[list[float]], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        WeightedProduct((1.0, 0.07)).values(np.array([draw]), (1, -1)[: len(draw[0])])


def first_that_differs(one: Floats, other: Floats, directions: tuple[int, ...], tolerances: Floats) -> float:
    for a, b, direction, tolerance in zip(one, other, directions, tolerances, strict=True):
        if abs(a - b) > tolerance:
            return 1.0 if (a - b) * direction > 0 else 0.0
    return 0.5


@settings(max_examples=50)
@given(cases(most=6), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 2.0]), st.integers(1, 100))
def test_lexicographic_preferences_are_counted_draw_by_draw(
    case: Case, seed: int, tolerance: float, pairs: int
) -> None:
    draws = drawn(case, seed)
    tolerances = np.full(len(case.directions), tolerance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_PAIRS", pairs)
        found_beats = Lexicographic(tuple(tolerances.tolist())).p_beats(draws, case.directions)
    found = Lexicographic(tuple(tolerances.tolist())).preferences(draws, case.directions)
    best = []
    for draw in draws * np.array(case.directions):
        left = set(range(len(draw)))
        for values in draw.T:
            top = max(values[row] for row in left)
            left = {row for row in left if top - values[row] <= tolerance}
        best.append(left)
    assert found.p_best == pytest.approx(split(best, len(case.points)))
    beats = [
        [
            np.mean([first_that_differs(draw[i], draw[j], case.directions, tolerances) for draw in draws])
            for j in range(len(case.points))
        ]
        for i in range(len(case.points))
    ]
    assert found_beats == pytest.approx(np.array(beats))
    first = draws[..., 0] * case.directions[0]
    short = np.maximum(first.max(axis=1, keepdims=True) - first - tolerance, 0)
    assert found.expected_regret == pytest.approx(short.mean(axis=0))
    assert consistent(found)


def test_within_the_tolerance_the_cheaper_one_is_best_and_nothing_is_regretted() -> None:
    draws = np.array([[[0.90, 5.0], [0.895, 1.0], [0.80, 0.1]]])
    found = Lexicographic((0.01, 0.0)).preferences(draws, (1, -1))
    assert found.p_best.tolist() == [0.0, 1.0, 0.0]
    assert found.expected_regret == pytest.approx([0.0, 0.0, 0.09])


def test_wrong_tolerances_are_refused() -> None:
    for tolerances in ((-0.1, 0.0), (np.nan, 0.0)):
        with pytest.raises(InvalidError, match="tolerances"):
            Lexicographic(tolerances)
    with pytest.raises(InvalidError, match="1 tolerances for 2 objectives"):
        Lexicographic((0.1,)).preferences(np.ones((1, 2, 2)), (1, 1))
