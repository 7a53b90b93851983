"""What holds for every measure of the candidates' answers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Array
from sidecar.estimation.measures.table import find_measure, measure_all
from tests.support.made_answers import (
    ANSWERS,
    INPUTS,
    ROWS,
    known,
    labelled,
    measured,
    pools,
    validated,
    values,
)
from tests.support.made_evidence import evidence

# Class shares that the softened transport and the settling of the consensus find, differ by this.
CLOSE = 5e-6


def shuffled(of: Evidence, items: Array) -> Evidence:
    return dataclasses.replace(
        of,
        probabilities=of.shares.where(items),
        energies=tuple(one if one is None else one[items] for one in of.energies),
    )


def relabelled(of: Evidence, classes: Array) -> Evidence:
    """The same with the label space in another order; the profiles keep theirs."""
    return dataclasses.replace(
        of,
        labels=tuple(of.labels[index] for index in classes),
        probabilities=np.stack([shares[:, classes] for shares in of.probabilities]),
    )


def test_every_measure_is_of_answers_or_of_inputs() -> None:
    assert set(INPUTS) >= {"adaptivity", "coverage", "jsd", "l2d"}
    assert all(find_measure(name) for name in ANSWERS)


@settings(max_examples=25)
@given(pools(), st.integers(0, 2**32))
def test_the_order_of_items_candidates_and_classes_changes_nothing(pool: Evidence, seed: int) -> None:
    rng = np.random.default_rng(seed)
    candidates, items, classes = pool.probabilities.shape
    order = rng.permutation(candidates).tolist()
    moved = relabelled(shuffled(pool, rng.permutation(items)), rng.permutation(classes)).of(order)
    for name in ANSWERS:
        expected = np.array(values(pool, name))[order]
        assert values(moved, name) == pytest.approx(expected, abs=CLOSE), name


@settings(max_examples=25)
@given(pools())
def test_every_estimate_is_finite_and_lies_in_its_interval(pool: Evidence) -> None:
    for name in ANSWERS:
        for one in measured(pool, name):
            assert math.isfinite(one.value)
            assert one.low <= one.value <= one.high
            if find_measure(name).estimates_accuracy:
                assert 0 <= one.low <= one.high <= 1


@pytest.mark.parametrize("items", [1, 7])
@pytest.mark.parametrize("sure", [True, False])
def test_candidates_that_always_say_the_same_are_measured(items: int, sure: bool) -> None:  # noqa: FBT001 - a case
    share = [1.0, 0.0, 0.0] if sure else [1 / 3] * 3
    rng = np.random.default_rng(0)
    source = validated(*labelled(3, 60, 1.0, rng), "abc")
    shares = np.tile(share, (3, items, 1))
    pool = evidence([source] * 3, np.zeros((items, 2)), shares, "abc")
    pool = dataclasses.replace(pool, energies=(np.ones(items),) * 3)
    for name in ANSWERS:
        for one in measured(pool, name):
            assert one.low <= one.value <= one.high
    assert values(pool, "margin") == [float(sure)] * 3
    assert values(pool, "agreement") == [1] * 3
    # Where nobody prefers any class, each of the three is right in part.
    assert values(pool, "ensv") == pytest.approx([1 if sure else 1 / 3] * 3)


def test_a_task_of_one_class_is_measured() -> None:
    pool = known(np.ones((3, 5, 1)))
    names = "confidence entropy margin nuclear_norm mano agreement ensv aline dawid_skene"
    for name in names.split():
        for one in measured(pool, name):
            assert math.isfinite(one.value)
            assert one.low <= one.value <= one.high


@settings(max_examples=25)
@given(pools(), st.floats(1.1, 4))
def test_sharper_answers_raise_confidence_and_what_follows_it(pool: Evidence, power: float) -> None:
    sharper = np.stack(list(pool.probabilities)) ** power
    sharper /= sharper.sum(axis=2, keepdims=True)
    sharp = dataclasses.replace(pool, probabilities=sharper)
    for name in ("confidence", "margin", "doc", "atc", "cbpe"):
        assert (np.array(values(sharp, name)) >= np.array(values(pool, name)) - 1e-12).all(), name
    assert (np.array(values(sharp, "entropy")) <= np.array(values(pool, "entropy")) + 1e-12).all()


@settings(max_examples=25)
@given(pools(), st.integers(0, 39))
def test_a_vote_moved_to_where_the_others_are_raises_agreement(pool: Evidence, item: int) -> None:
    item %= pool.probabilities.shape[1]
    moved = np.stack(list(pool.probabilities))
    moved[0, item] = moved[1, item]
    after = dataclasses.replace(pool, probabilities=moved)
    pair, pair_after = pool.of([0, 1]), after.of([0, 1])
    for name in ("agreement", "ensv"):
        assert values(pair_after, name)[0] >= values(pair, name)[0] - 1e-12


def test_intervals_are_as_wide_as_redrawn_items_say() -> None:
    rng = np.random.default_rng(8)
    sharpness = (0.7, 1.0, 1.5)
    sources = [validated(*labelled(3, 400, one, rng), "abc", np.array([0.5, 0.3, 0.2])) for one in sharpness]
    shares = np.stack([labelled(3, 300, one, rng)[0] for one in sharpness])
    pool = dataclasses.replace(
        evidence(sources, ROWS, shares, "abc"), energies=tuple(rng.normal(size=(3, 300)))
    )
    redrawn = [shuffled(pool, rng.integers(300, size=300)) for _ in range(150)]
    # The consensus is taken as it is, and the source's accuracy is not of these items.
    for name in set(ANSWERS) - {"dawid_skene", "dawid_skene_flat", "source_accuracy"}:
        spread = np.std([values(one, name) for one in redrawn], axis=0)
        half = np.array([(one.high - one.low) / 2 for one in measured(pool, name)])
        # The two made-up scores at the bounds are what the absolute part allows for.
        assert half == pytest.approx(1.645 * spread, rel=0.3, abs=0.004), name


def test_reasons_are_words_and_values_have_none() -> None:
    for found in measure_all(known(np.full((2, 3, 2), 0.5)), ANSWERS):
        assert all((one.estimate is None) == bool(one.reason) for one in found)
