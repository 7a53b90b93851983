from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from sidecar.estimation.accuracy.ranks import shares_below, spearman

FEW = st.lists(st.integers(0, 5), min_size=2, max_size=8)


@given(FEW)
def test_shares_below_are_average_ranks(values: list[int]) -> None:
    expected = (rankdata(values) - 1) / (len(values) - 1)
    assert shares_below(np.array(values, dtype=float)) == pytest.approx(expected)


@given(FEW.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_rank_correlation_is_scipys(orders: tuple[list[int], list[int]]) -> None:
    one, other = (np.array(values, dtype=float) for values in orders)
    if len(set(orders[0])) == 1:
        assert spearman(one, other) is None
    else:
        assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5]])
def test_what_orders_nothing_correlates_with_nothing(values: list[float]) -> None:
    order = np.arange(len(values), dtype=float)
    assert spearman(np.array(values), order) is None
    assert spearman(order, np.array(values)) is None


def test_candidates_without_a_value_share_the_last_place() -> None:
    assert spearman(np.array([-np.inf, 2.0, -np.inf]), np.array([1.0, 3.0, 1.0])) == pytest.approx(1)
