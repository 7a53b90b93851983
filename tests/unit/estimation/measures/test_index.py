from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.estimation.measures.divergence import jsd
from sidecar.estimation.measures.index import PartitionIndex


def partitions(rng: np.random.Generator, domains: int, each: int) -> Array:
    shapes = rng.dirichlet(np.full(20, 0.3), domains)
    return rng.multinomial(2000, np.repeat(shapes, each, axis=0))


def made(sources: Array, seed: int = 0, **settings: float) -> PartitionIndex:
    options = {"tables": 8, "hashes": 6, "width": 0.8} | settings
    return PartitionIndex(sources, rng=np.random.default_rng(seed), **options)  # type: ignore[arg-type]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.69))
def test_what_is_found_matches_and_comes_once_in_order(seed: int, tau: float) -> None:
    sources = partitions(np.random.default_rng(seed), 10, 5)
    for target, found in zip(sources[::7], made(sources, seed).matching(sources[::7], tau), strict=True):
        wanted = np.nonzero(jsd(sources, target) < tau)[0]
        assert set(found.tolist()) <= set(wanted.tolist())
        assert found.tolist() == sorted(set(found.tolist()))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_equal_partitions_are_always_found(seed: int) -> None:
    sources = partitions(np.random.default_rng(seed), 30, 1)
    for number, found in enumerate(made(sources, seed, hashes=20).matching(sources, 1e-6)):
        assert number in found


def test_one_bucket_for_all_is_the_exact_pass() -> None:
    sources = partitions(np.random.default_rng(0), 20, 5)
    index = made(sources, tables=1, hashes=1, width=1e6)
    for target, found in zip(sources, index.matching(sources, 0.1), strict=True):
        assert found.tolist() == np.nonzero(jsd(sources, target) < 0.1)[0].tolist()


def test_nearly_all_partitions_of_the_same_domain_are_found() -> None:
    rng = np.random.default_rng(1)
    sources = partitions(rng, 200, 10)
    index = made(sources, tables=16)
    missed = [
        set(range(10 * (n // 10), 10 * (n // 10) + 10)) - set(found.tolist())
        for n, found in enumerate(index.matching(sources, 0.05))
    ]
    assert np.mean([len(one) / 10 for one in missed]) < 0.02


def test_the_same_generator_gives_the_same_answers_and_chunks_change_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = partitions(np.random.default_rng(2), 60, 3)
    first = made(sources).matching(sources, 0.2)
    monkeypatch.setattr("sidecar.estimation.measures.index._CHUNK_VALUES", 500)
    second = made(sources).matching(sources, 0.2)
    assert [one.tolist() for one in first] == [one.tolist() for one in second]


def test_an_empty_histogram_is_refused() -> None:
    with pytest.raises(InvalidError, match="empty"):
        made(np.zeros((2, 5)))
    with pytest.raises(InvalidError, match="empty"):
        made(np.ones((2, 5))).matching(np.zeros((1, 5)), 0.1)
