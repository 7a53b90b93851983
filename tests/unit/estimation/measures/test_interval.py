from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.estimation.measures.interval import mean_estimate


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_and_keeps_the_bounds(scores: list[float]) -> None:
    found = mean_estimate(np.array(scores), (0, 3))
    assert found.value == pytest.approx(sum(scores) / len(scores))
    assert 0 <= found.low <= found.value <= found.high <= 3 + 1e-9
    assert found.low < found.high


def test_equal_scores_leave_the_interval_open_and_more_of_them_close_it() -> None:
    widths = [1 - mean_estimate(np.ones(units), (0, 1)).low for units in (1, 8, 1000)]
    assert widths[0] > 0.4
    assert widths[0] > widths[1] > widths[2] > 0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for truth in (0.5, 0.9):
        drawn = rng.random((2000, 60)) < truth
        found = [mean_estimate(scores, (0, 1)) for scores in drawn]
        held = np.mean([one.low <= truth <= one.high for one in found])
        assert 0.86 < held < 0.97
