from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.tensors import Floats
from sidecar.estimation.measures.moments import moment_shift
from tests.support.made_evidence import evidence, profile

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(400, 3)) * [1, 10, 0.1]
LIVE = RNG.normal(size=(300, 3)) * [1, 10, 0.1]


def value(live: Floats, *sources: Floats) -> list[float]:
    profiles = [profile(rows) for rows in sources]
    answers = np.full((len(sources), len(live), 2), 0.5)
    return [one.value for one in moment_shift(evidence(profiles, live, answers, "ab"))]


def test_it_is_the_two_root_mean_squares_of_the_definition() -> None:
    unit, source = LIVE.std(axis=0), TRAIN.std(axis=0)
    location = np.sqrt((((LIVE.mean(axis=0) - TRAIN.mean(axis=0)) / unit) ** 2).mean())
    scale = np.sqrt((np.log(unit / source) ** 2).mean())
    assert value(LIVE, TRAIN) == pytest.approx([location + scale])


def test_traffic_that_is_the_source_lies_at_it() -> None:
    assert value(LIVE, LIVE) == pytest.approx([0], abs=1e-9)


@given(st.floats(0.1, 5), st.floats(1.1, 3))
def test_it_grows_with_the_shift_in_location_and_in_scale(step: float, factor: float) -> None:
    here, near, far, wide = value(LIVE, LIVE, LIVE + step, LIVE + 2 * step, LIVE * factor)
    assert here < near < far
    assert wide > here


@given(st.floats(0.01, 100), st.integers(0, 5))
def test_units_and_the_order_of_items_change_nothing(unit: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(LIVE))
    assert value(LIVE[order] * unit, TRAIN * unit) == pytest.approx(value(LIVE, TRAIN))


def test_a_constant_feature_elsewhere_counts_as_ten_deviations_at_most() -> None:
    live, train = LIVE.copy(), TRAIN.copy()
    live[:, 0], train[:, 0] = 5.0, -1e9
    assert value(live, train)[0] < 10 + 10


def test_a_source_that_varies_much_is_not_near_to_everything() -> None:
    moved = np.array([0.5, 5, 0.05])
    near, wide = value(LIVE, TRAIN + moved, TRAIN * 8 + moved)
    assert near < wide


def test_one_item_has_a_value_and_a_wide_interval() -> None:
    (one,) = moment_shift(evidence([profile(TRAIN)], LIVE[:1], np.full((1, 1, 2), 0.5), "ab"))
    assert np.isfinite([one.value, one.low, one.high]).all()
    assert one.high - one.low > 1
