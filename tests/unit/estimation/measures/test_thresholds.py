from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from sidecar.estimation.measures.thresholds import source_thresholds
from tests.support.made_evidence import ROWS, profile


def test_thresholds_are_quantiles_over_the_sources_own_partitions() -> None:
    source = profile(np.random.default_rng(0).normal(size=(6 * ROWS, 2)))
    found = source_thresholds(source)
    pooled = source.pooled
    apart = [jensenshannon(pooled[i], pooled[j]) ** 2 for i in range(6) for j in range(i)]
    assert found is not None
    assert found.pooled == pytest.approx(np.quantile(apart, 0.95))
    counts = source.feature_counts[:, 1]
    from_rest = [jensenshannon(part, counts.sum(axis=0) - part) ** 2 for part in counts]
    assert found.columns[1] == pytest.approx(np.quantile(from_rest, 0.95))


def test_one_partition_has_no_thresholds() -> None:
    assert source_thresholds(profile(np.random.default_rng(0).normal(size=(ROWS, 2)))) is None


def test_unbinned_features_have_no_thresholds() -> None:
    source = profile(np.random.default_rng(0).normal(size=(2 * ROWS, 2)))
    found = source_thresholds(dataclasses.replace(source, feature_counts=source.feature_counts[:, :0]))
    assert found is not None
    assert found.columns.shape == (0,)


def test_the_nearest_other_partition_is_found_by_brute_force() -> None:
    source = profile(np.random.default_rng(0).normal(size=(6 * ROWS, 2)))
    found = source_thresholds(source)
    assert found is not None
    shares = source.pooled / source.pooled.sum(axis=1, keepdims=True)
    for index, own in enumerate(shares):
        apart = [1 - np.sqrt(own * other).sum() for place, other in enumerate(shares) if place != index]
        assert found.nearest[index] == pytest.approx(min(apart))


def test_equal_partitions_lie_as_far_apart_as_one_value_makes_it() -> None:
    found = source_thresholds(profile(np.ones((3 * ROWS, 2))))
    assert found is not None
    assert found.nearest.tolist() == [1 / (4 * ROWS)] * 3
