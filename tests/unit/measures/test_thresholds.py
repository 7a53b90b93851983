from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from sidecar.measures.thresholds import source_thresholds
from tests.unit.measures.made_evidence import ROWS, profile


def test_thresholds_are_quantiles_over_the_sources_own_partitions() -> None:
    source = profile(np.random.default_rng(0).normal(size=(6 * ROWS, 2)))
    found = source_thresholds(source)
    pooled = source.pooled
    apart = [jensenshannon(pooled[i], pooled[j]) ** 2 for i in range(6) for j in range(i)]
    assert found.pooled == pytest.approx(np.quantile(apart, 0.95))
    counts = source.feature_counts[:, 1]
    from_rest = [jensenshannon(part, counts.sum(axis=0) - part) ** 2 for part in counts]
    assert found.features is not None
    assert found.features[1] == pytest.approx(np.quantile(from_rest, 0.95))


def test_one_partition_has_no_thresholds() -> None:
    found = source_thresholds(profile(np.random.default_rng(0).normal(size=(ROWS, 2))))
    assert (found.pooled, found.features) == (None, None)


def test_unbinned_features_have_no_thresholds() -> None:
    source = profile(np.random.default_rng(0).normal(size=(2 * ROWS, 2)))
    found = source_thresholds(dataclasses.replace(source, feature_counts=source.feature_counts[:, :0]))
    assert found.pooled is not None
    assert found.features is None
