from __future__ import annotations

import dataclasses
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.divergence import LN2, jsd
from sidecar.estimation.measures.table import measure_all
from sidecar.estimation.measures.words import (
    JOINT_WORDS,
    OTHER_BUCKETS,
    WORD_TAU,
    word_adaptivity,
    word_counts,
    word_jsd,
)
from tests.support.made_evidence import ROWS, evidence, profile

KNOWN = tuple(f"word{index}" for index in range(500))
NUMBERS = np.random.default_rng(0).normal(size=(4 * ROWS, 2))


def seen(source: Array, live: Array) -> Evidence:
    """Evidence of one candidate: partitions' word counts [S, 500] and [T, 500 + OTHER_BUCKETS]."""
    kept = dataclasses.replace(profile(NUMBERS), words=KNOWN, word_counts=source)
    made = evidence([kept], NUMBERS, np.full((1, 1, 2), 0.5))
    target = made.targets[0]
    assert target is not None
    return dataclasses.replace(made, targets=(dataclasses.replace(target, words=live),))


def drawn(rng: np.random.Generator, parts: int, shares: Floats, strangers: int = 0) -> Array:
    known = rng.multinomial(2000, shares / shares.sum(), size=parts)
    others = np.zeros((parts, OTHER_BUCKETS), dtype=np.int64)
    others[:, : strangers or 1] = rng.poisson(40, (parts, strangers)) if strangers else 0
    return np.concatenate([known, others], axis=1)


def plain_jsd(first: Array, second: Array) -> float:
    return float(jsd(first, second)) if first.any() and second.any() else LN2


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=8), max_size=5))
def test_counts_are_those_of_a_counter_known_words_first(words: list[list[str]]) -> None:
    found = word_counts(words, ["b", "zebra", "a"])
    counter = Counter(word for item in words for word in item)
    assert found[:3].tolist() == [counter.pop("b", 0), 0, counter.pop("a", 0)]
    others = np.zeros(OTHER_BUCKETS)
    for word, count in counter.items():
        others[zlib.crc32(word.encode()) % OTHER_BUCKETS] += count
    np.testing.assert_array_equal(found[3:], others)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_word_jsd_is_that_of_the_joint_most_frequent_words(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = drawn(rng, 4, rng.random(500))[:, :500]
    live = drawn(rng, 3, rng.random(500), strangers=200)
    p = np.concatenate([source.sum(axis=0), np.zeros(OTHER_BUCKETS)])
    q = live.sum(axis=0)
    shares = (p / p.sum() + q / q.sum()).tolist()
    chosen = sorted(range(len(shares)), key=lambda place: (-shares[place], place))[:JOINT_WORDS]
    found = word_jsd(seen(source, live))[0]
    assert found.value == pytest.approx(plain_jsd(p[chosen], q[chosen]), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= LN2


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_word_adaptivity_is_the_brute_force_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few words in common, so that some pairs match and some do not.
    source = drawn(rng, 4, rng.random(500) ** 8)[:, :500]
    live = drawn(rng, 3, rng.random(500) ** 8, strangers=400)
    found = 0
    for target in live:
        for part in source:
            p = np.concatenate([part, np.zeros(OTHER_BUCKETS)])
            # Unknown words beyond the 300 most frequent cannot be among the joint ones.
            chosen = np.argsort(-(p + target), kind="stable")[:JOINT_WORDS]
            found += plain_jsd(p[chosen], target[chosen]) < WORD_TAU
    assert word_adaptivity(seen(source, live))[0].value == pytest.approx(found / 3)


def test_words_that_the_source_never_saw_count_as_far() -> None:
    rng = np.random.default_rng(1)
    shares = rng.random(500)
    source = drawn(rng, 4, shares)[:, :500]
    values = [
        word_jsd(seen(source, drawn(rng, 3, shares, strangers=count)))[0].value for count in (0, 20, 100)
    ]
    assert values[0] < 0.02 < values[1] < values[2]


@pytest.mark.parametrize("measure", [word_jsd, word_adaptivity])
def test_nothing_in_common_and_nothing_said_lie_farthest(measure: object) -> None:
    rng = np.random.default_rng(2)
    source = drawn(rng, 4, np.ones(500))[:, :500]
    strangers = np.zeros((2, 500 + OTHER_BUCKETS), dtype=np.int64)
    far = LN2 if measure is word_jsd else 0
    assert measure(seen(source, strangers))[0].value == far  # type: ignore[operator]
    strangers[:, 500:900] = 50
    assert measure(seen(source, strangers))[0].value == pytest.approx(far)  # type: ignore[operator]


@given(st.permutations(range(3)))
def test_the_order_of_partitions_changes_no_word_measure(order: list[int]) -> None:
    rng = np.random.default_rng(3)
    source, live = drawn(rng, 4, rng.random(500))[:, :500], drawn(rng, 3, rng.random(500), strangers=50)
    for measure in (word_jsd, word_adaptivity):
        assert measure(seen(source, live[order]))[0].value == measure(seen(source, live))[0].value


def test_inputs_without_words_have_a_reason() -> None:
    made = evidence([profile(NUMBERS)], NUMBERS, np.full((1, 1, 2), 0.5))
    reasons = {found.name: found.reason for found in measure_all(made)[0]}
    assert "no text" in reasons["word_jsd"]
