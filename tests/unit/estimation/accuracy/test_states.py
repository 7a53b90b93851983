"""When an order is doubted: it may well be a bad one, or equal votes give another one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import State
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.estimate import AccuracyEstimate
from sidecar.estimation.accuracy.states import concord, order_doubt, pool_doubt
from sidecar.estimation.accuracy.support import Support
from sidecar.estimation.measures.dawid_skene import flat_consensus
from tests.support.made_evidence import noisy

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(3, size=600)
VOTES = np.stack([noisy(TRUTH, accuracy, 3, RNG) for accuracy in (0.9, 0.8, 0.7, 0.6, 0.5)])
NOTHING = (None,) * 5
POOL = Evidence(NOTHING, NOTHING, NOTHING, ("a", "b", "c"), np.eye(3)[VOTES], hard=True)
ORDER = np.array([0.9, 0.8, 0.7, 0.6, 0.5])


def sources(*distances: float, coverage: float = 0.5) -> Support:
    return Support((coverage,) * len(distances), np.array(distances), np.full(len(distances), np.nan))


UNKNOWN = Support((None,) * 5, np.full(5, np.inf), np.full(5, np.nan))
FITTING = sources(0.1, 0.1, 0.1, 0.1, 0.1, coverage=0.9)


def estimate(values: Floats, error: float = 0.01) -> AccuracyEstimate:
    draws = values + np.random.default_rng(1).normal(0, error, (400, len(values)))
    return AccuracyEstimate(values, values, draws, values)


@settings(deadline=None)
@given(st.permutations(ORDER.tolist()))
def test_concord_is_spearmans_correlation_with_the_consensus_of_equal_votes(values: list[float]) -> None:
    equal = [one.value for one in flat_consensus(POOL)]
    assert concord(POOL, UNKNOWN, np.array(values)) == pytest.approx(spearmanr(values, equal).statistic)


def test_an_order_that_equal_votes_give_too_is_not_doubted() -> None:
    assert order_doubt(POOL, UNKNOWN, estimate(ORDER)) is None


def test_an_order_that_equal_votes_contradict_is_doubted_and_says_so() -> None:
    found = order_doubt(POOL, UNKNOWN, estimate(ORDER[::-1].copy()))
    assert found is not None
    assert found[0] is State.TIED
    assert found[1] == "a consensus of equal votes orders otherwise: rank correlation -1.00 < 0.3"


def test_where_a_source_fits_the_traffic_equal_votes_contradict_nothing() -> None:
    assert order_doubt(POOL, FITTING, estimate(ORDER[::-1].copy())) is None


def test_estimates_that_err_too_much_for_what_they_differ_are_doubted_first() -> None:
    found = order_doubt(POOL, FITTING, estimate(ORDER, error=2.0))
    assert found is not None
    assert found[0] is State.TIED
    assert "err too much for what they differ" in found[1]


def test_where_equal_votes_order_nothing_they_contradict_nothing() -> None:
    same = dataclasses.replace(POOL, probabilities=np.eye(3)[VOTES[[0] * 5]])
    assert concord(same, UNKNOWN, ORDER) == 1


def test_a_consensus_that_prefers_the_farthest_sources_is_out_of_support() -> None:
    near, far = sources(0.6, 0.7, 0.8, 0.9, 1.0), sources(1.0, 0.9, 0.8, 0.7, 0.6)
    assert pool_doubt(POOL, near, ORDER) is None
    found = pool_doubt(POOL, far, ORDER)
    assert found is not None
    assert found[0] is State.OUT_OF_SUPPORT
    assert found[1].endswith("rank correlation 1.00")
    assert pool_doubt(POOL, UNKNOWN, ORDER) is None
