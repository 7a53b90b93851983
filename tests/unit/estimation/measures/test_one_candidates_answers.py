"""Measures of one candidate's answers, against their definitions written out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Floats
from tests.support.made_answers import known, measured, pools, values


@given(pools())
def test_confidence_margin_and_entropy_are_means_over_items(pool: Evidence) -> None:
    shares = np.stack(list(pool.probabilities))
    ranked = np.sort(shares, axis=2)
    assert values(pool, "confidence") == pytest.approx(ranked[..., -1].mean(axis=1))
    assert values(pool, "margin") == pytest.approx((ranked[..., -1] - ranked[..., -2]).mean(axis=1))
    assert values(pool, "entropy") == pytest.approx(scipy_entropy(shares, axis=2).mean(axis=1))


def test_the_margin_of_two_equal_classes_is_nothing() -> None:
    assert values(known(np.array([[[0.5, 0.5, 0.0]]])), "margin") == [0]


@given(pools())
def test_energy_is_the_mean_over_items(pool: Evidence) -> None:
    energies = [one for one in pool.energies if one is not None]
    assert values(pool, "energy") == pytest.approx(np.mean(energies, axis=1))


def test_the_interval_of_the_energy_closes_where_items_do_not_differ() -> None:
    pool = dataclasses.replace(known(np.ones((1, 4, 1))), energies=(np.full(4, -3.5),))
    (found,) = measured(pool, "energy")
    assert (found.low, found.value, found.high) == (-3.5, -3.5, -3.5)


@given(pools())
def test_the_nuclear_norm_is_the_sum_of_singular_values(pool: Evidence) -> None:
    items, classes = pool.probabilities.shape[1:]
    expected = [np.linalg.norm(shares, "nuc") for shares in pool.probabilities]
    scale = (min(items, classes) * items) ** 0.5
    assert values(pool, "nuclear_norm") == pytest.approx(np.array(expected) / scale, abs=1e-6)


def test_the_nuclear_norm_is_highest_for_sure_answers_spread_evenly() -> None:
    even, one_class = np.eye(3)[np.arange(9) % 3], np.eye(3)[np.zeros(9, dtype=int)]
    undecided = np.full((9, 3), 1 / 3)
    found = values(known(np.stack([even, one_class, undecided])), "nuclear_norm")
    assert found == pytest.approx([1, 3**-0.5, 1 / 3])


def written_out(shares: Floats) -> float:
    """MaNo, item by item."""
    logs = np.log(np.maximum(shares, 1e-12))
    fourth: list[float] = []
    for row, logits in zip(shares, logs, strict=True):
        centred = [value - sum(logits) / len(logits) for value in logits]
        series = [1 + value + value * value / 2 for value in centred]
        normalised = [value / sum(series) for value in series] if -logs.mean() <= 5 else row
        fourth += [value**4 for value in normalised]
    return float(np.mean(fourth) ** 0.25)


@given(pools())
def test_mano_is_the_definition_for_hesitant_answers(pool: Evidence) -> None:
    assert values(pool, "mano") == pytest.approx([written_out(shares) for shares in pool.probabilities])


@given(st.integers(0, 99))
def test_mano_is_the_fourth_moment_of_sure_answers(seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(8, 0.03), 30)
    assert -np.log(np.maximum(shares, 1e-12)).mean() > 5
    assert values(known(shares[None]), "mano") == pytest.approx([written_out(shares)])


def test_mano_passes_over_classes_that_a_candidate_does_not_know() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    wider = np.concatenate([shares, np.zeros((20, 2))], axis=1)
    assert values(known(wider[None]), "mano") == pytest.approx(values(known(shares[None]), "mano"))
