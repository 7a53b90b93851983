"""Traffic from the source fits, for every kind of column; one column gone does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sidecar.core.evidence import Evidence
from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.support import SUPPORTED, fit, support
from sidecar.estimation.measures.column_shift import ColumnShift
from tests.support.made_evidence import evidence, profile

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(2000, 4))
LIVE = RNG.normal(size=(1000, 4))

# What users' columns look like; each makes rows [n, columns].
KINDS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "normal": lambda n, rng: rng.normal(size=(n, 6)),
    "constant beside normal": lambda n, rng: np.hstack([rng.normal(size=(n, 3)), np.full((n, 30), 7.0)]),
    "nearly constant": lambda n, rng: np.hstack(
        [rng.normal(size=(n, 2)), (rng.random((n, 20)) < 0.002).astype(float)]
    ),
    "one-hot": lambda n, rng: np.eye(8)[rng.integers(8, size=n)],
    "hashed": lambda n, rng: rng.poisson(0.05, size=(n, 200)).astype(float),
    "heavy-tailed": lambda n, rng: rng.standard_cauchy(size=(n, 5)),
    "duplicated": lambda n, rng: np.repeat(rng.normal(size=(n, 2)), 20, axis=1),
    "one column": lambda n, rng: rng.normal(size=(n, 1)),
    "all constant": lambda n, _: np.full((n, 5), 3.0),
}


def of(*sources: float) -> Evidence:
    profiles = [profile(TRAIN + shift) for shift in sources]
    return evidence(profiles, LIVE, np.full((len(sources), 1000, 2), 0.5), "ab")


def fit_of(train: Floats, live: Floats) -> float:
    answers = np.full((1, len(live), 2), 0.5)
    return float(support(evidence([profile(train)], live, answers, "ab")).fit[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_training_rows_themselves_fit(kind: str) -> None:
    rows = KINDS[kind](2000, np.random.default_rng(1))
    assert fit_of(rows, rows) > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("items", [200, 2000])
def test_fresh_rows_of_the_source_fit(kind: str, items: int) -> None:
    fits = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        fits.append(fit_of(KINDS[kind](2000, rng), KINDS[kind](items, rng)))
    assert np.median(fits) > 0.8
    assert min(fits) > 0.05


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"nearly constant", "hashed"}])
def test_one_column_that_is_gone_does_not_fit(kind: str) -> None:
    rng = np.random.default_rng(2)
    rows, live = KINDS[kind](2000, rng), KINDS[kind](1000, rng)
    live[:, 0] = rows[:, 0].max() + 1
    assert fit_of(rows, live) < 0.01


@pytest.mark.parametrize("columns", [10, 100, 1000])
def test_one_column_of_many_that_is_gone_does_not_fit(columns: int) -> None:
    rng = np.random.default_rng(3)
    live = rng.normal(size=(1000, columns))
    live[:, -1] = 0.0
    assert fit_of(rng.normal(size=(2000, columns)), live) < 0.01


def test_traffic_like_the_source_is_inside_and_traffic_from_elsewhere_is_not() -> None:
    found = support(of(0, 20))
    here, elsewhere = found.inside
    assert here is not None
    assert here > 0.99
    assert elsewhere is not None
    assert elsewhere < SUPPORTED
    assert found.strange.tolist() == [False, True]


def test_constant_columns_do_not_hide_those_that_left() -> None:
    train = np.hstack([TRAIN[:, :1], np.zeros((2000, 50))])
    live = np.hstack([LIVE[:, :1] + 100, np.zeros((1000, 50))])
    found = support(evidence([profile(train)], live, np.full((1, 1000, 2), 0.5), "ab"))
    assert found.inside == (0.0,)


def test_moved_or_stretched_traffic_does_not_fit() -> None:
    fits = support(of(0, 20, 0.6)).fit
    assert fits[0] > 0.8
    assert (fits[1:] < 0.01).all()
    assert fit_of(TRAIN, LIVE * 2) < 0.01


def test_rows_that_fill_no_partition_count_too() -> None:
    assert fit_of(TRAIN, LIVE[:60]) > 0.5
    assert fit_of(TRAIN, LIVE[:60] + 3) < 0.01


def test_distances_grow_as_the_source_moves_away() -> None:
    distances = support(of(0, 0.5, 1, 5)).distances
    assert (np.diff(distances) > 0).all()


def test_where_no_source_is_known_nothing_fits_and_nothing_is_strange() -> None:
    answers = np.full((2, 10, 2), 0.5)
    found = support(Evidence((None,) * 2, (None,) * 2, (None,) * 2, ("a", "b"), answers))
    assert np.isinf(found.distances).all()
    assert not found.fit.any()
    assert not found.strange.any()


@pytest.mark.parametrize("noise", [1e-5, 1e-3, 0.05])
def test_fit_is_bayes_rule_by_integration(noise: float) -> None:
    for value in (-2 * noise, 0.0, noise, 3 * noise, 6 * noise):
        shifts = np.linspace(0, max(20 * noise, 1.0), 400_001)
        likelihood = np.exp(-0.5 * ((value - shifts) / noise) ** 2) * np.exp(-shifts / 0.1) / 0.1
        elsewhere = np.trapezoid(likelihood, shifts)
        own = np.exp(-0.5 * (value / noise) ** 2)
        expected = own / (own + elsewhere)
        assert fit(ColumnShift(value, noise, 0.0, 1e-6)) == pytest.approx(expected, rel=2e-3, abs=1e-9)
