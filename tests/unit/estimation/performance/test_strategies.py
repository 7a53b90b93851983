from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Floats
from sidecar.estimation.performance.fit import fit, refit
from sidecar.estimation.performance.source import Source
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.strategies import CHOOSER, STRATEGIES
from sidecar.estimation.performance.terms import columns, stepwise
from tests.support.performance_system import SPACE, elsewhere, here, measured, source_cost, target_cost

ASKED = SPACE.draw(60, np.random.default_rng(9))
NAMES = (CHOOSER, *STRATEGIES)


def error(strategy: str, rows: int, sources: tuple[Source, ...] | None = None) -> float:
    given_sources = (elsewhere(),) if sources is None else sources
    found = fit(given_sources, here(rows), "latency_s", strategy=strategy).predict(ASKED)
    return float(np.abs(found.value / np.exp(target_cost(ASKED)) - 1).mean())


@pytest.mark.parametrize("strategy", NAMES)
def test_predictions_lie_in_their_interval_and_are_the_same_again(strategy: str) -> None:
    found = fit([elsewhere()], here(8), "latency_s", strategy=strategy).predict(ASKED)
    again = fit([elsewhere()], here(8), "latency_s", strategy=strategy).predict(ASKED)
    assert (found.value == again.value).all()
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()
    assert np.isfinite(found.high).all()


@pytest.mark.parametrize("strategy", [name for name in NAMES if name != CHOOSER])
def test_a_strategy_has_what_it_says_it_needs(strategy: str) -> None:
    rows = STRATEGIES[strategy].rows
    sources = [elsewhere()] * STRATEGIES[strategy].sources
    found = fit(sources, here(max(rows, 1)).rows(np.arange(rows)), "latency_s", strategy=strategy)
    assert np.isfinite(found.predict(ASKED).high).all()


@pytest.mark.parametrize("strategy", NAMES)
def test_what_was_learned_makes_the_same_model_again(strategy: str) -> None:
    model = fit([elsewhere()], here(8), "latency_s", strategy=strategy)
    again = refit(model.task, model.metric, model.environment, strategy, model.fitted.learned)
    assert again.predict(ASKED).high == pytest.approx(model.predict(ASKED).high, rel=1e-9)


def test_the_linear_shift_is_the_line_of_least_squares() -> None:
    source, target = elsewhere(), here(9)
    model = fit([source], target, "latency_s", strategy="linear_shift")
    slope, start = np.polyfit(np.exp(source.at(target.codes)), target.metric("latency_s"), 1)
    expected = start + slope * np.exp(source.at(ASKED))
    assert model.predict(ASKED).value == pytest.approx(
        np.maximum(expected, 0.1 * target.metric("latency_s").min())
    )


def test_direct_transfer_says_what_the_source_says() -> None:
    model = fit([elsewhere()], here(5), "latency_s", strategy="direct")
    assert np.log(model.predict(ASKED).value) == pytest.approx(elsewhere().at(ASKED))


def test_direct_transfer_from_several_sources_is_their_geometric_mean() -> None:
    other = Source.learn(measured(SPACE, "b", lambda codes: 1 + source_cost(codes), 200, seed=0), "latency_s")
    model = fit([elsewhere(), other], here(5), "latency_s", strategy="direct")
    expected = (elsewhere().at(ASKED) + other.at(ASKED)) / 2
    assert np.log(model.predict(ASKED).value) == pytest.approx(expected)


def test_a_nonlinear_shift_learns_a_curve_of_the_source() -> None:
    def saturated(codes: Floats) -> Floats:
        return np.log(0.1 + np.exp(source_cost(codes)))

    target = measured(SPACE, "here", saturated, 40, seed=3)
    found = fit([elsewhere()], target, "latency_s", strategy="nonlinear_shift").predict(ASKED).value
    assert np.abs(found / np.exp(saturated(ASKED)) - 1).mean() < 0.04


def test_a_target_between_two_sources_is_found_by_their_factors() -> None:
    def a(codes: Floats) -> Floats:
        return source_cost(codes) - 0.5 * codes[:, 4]

    def b(codes: Floats) -> Floats:
        return source_cost(codes) + 0.5 * codes[:, 4]

    def c(codes: Floats) -> Floats:
        return source_cost(codes) + 0.3 * codes[:, 4] + 1

    sources = [
        Source.learn(measured(SPACE, name, cost, 200, 0), "latency_s") for name, cost in (("a", a), ("b", b))
    ]
    target = measured(SPACE, "c", c, 8, seed=2)
    found = fit(sources, target, "latency_s", strategy="latent_factors").predict(ASKED).value
    assert np.abs(found / np.exp(c(ASKED)) - 1).mean() < 0.05


def test_transfer_needs_far_fewer_measurements_than_learning_alone() -> None:
    alone, transferred = error("scratch_gp", 8), error("log_ratio_gp", 8)
    assert transferred < 0.1 < alone


def test_the_chooser_is_near_the_best_where_the_source_helps_and_where_it_misleads() -> None:
    assert error(CHOOSER, 8) < 1.3 * error("log_ratio_gp", 8)
    misleading = Source.learn(
        measured(SPACE, "m", lambda codes: -3 * source_cost(codes), 200, 0), "latency_s"
    )
    assert error(CHOOSER, 60, (misleading,)) < 1.3 * error("scratch_gp", 60)


def test_the_chooser_follows_the_likelier() -> None:
    weights = fit([elsewhere()], here(30), "latency_s").weights
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["log_ratio_gp"] + weights["log_ratio_source_gp"] > 0.8


def test_without_measurements_the_source_is_believed_within_orders_of_magnitude() -> None:
    model = fit([elsewhere()], here(5).rows(np.arange(0)), "latency_s")
    found = model.predict(ASKED)
    assert np.log(found.value) == pytest.approx(elsewhere().at(ASKED), abs=0.5)
    assert (found.high / found.low > 100).all()


def test_without_a_source_the_chooser_learns_alone() -> None:
    assert fit([], here(8), "latency_s").weights == {"scratch_gp": 1.0}


@pytest.mark.parametrize(
    ("sources", "rows", "strategy", "message"),
    [
        (0, 1, CHOOSER, "neither a source nor enough measurements"),
        (1, 5, "guess", "no strategy 'guess': use one of chooser, scratch"),
        (0, 5, "direct", "'direct' needs 1 sources and 0 measurements; there are 0 and 5"),
    ],
)
def test_what_cannot_be_fitted_is_named(sources: int, rows: int, strategy: str, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        fit([elsewhere()] * sources, here(rows), "latency_s", strategy=strategy)


def test_sources_over_other_options_are_refused() -> None:
    other = measured(Space(SPACE.options[:4]), "other", lambda codes: codes[:, 0], 12, 0)
    with pytest.raises(InvalidError, match="measured in other has other options than the target"):
        fit([Source.learn(other, "latency_s")], here(5), "latency_s")


def test_a_missing_scikit_learn_is_said_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        InvalidError, match=r"needs scikit-learn: install it with `pip install 'pilotfish\[perf\]'`"
    ):
        fit([], here(5), "latency_s", strategy="scratch_tree")


def test_a_source_says_less_noisily_what_it_measured() -> None:
    table = measured(SPACE, "noisy", source_cost, 200, seed=0, noise=0.1)
    source = Source.learn(table, "latency_s")
    said = np.abs(source.at(table.codes) - source_cost(table.codes)).mean()
    noise = np.abs(np.log(table.metric("latency_s")) - source_cost(table.codes)).mean()
    assert said < 0.5 * noise


def test_a_faulty_zero_does_not_reach_the_source() -> None:
    table = measured(SPACE, "faulty", source_cost, 200, seed=0)
    values = table.metric("latency_s").copy()
    values[7] = 1e-12
    faulty = type(table)(SPACE, table.environment, table.codes, {"latency_s": values})
    error_there = np.abs(Source.learn(faulty, "latency_s").at(ASKED) - source_cost(ASKED)).mean()
    assert error_there < 0.15


def test_stepwise_finds_the_influential_options_and_their_interaction() -> None:
    codes = SPACE.draw(300, np.random.default_rng(0))
    terms = stepwise(SPACE.features(codes), SPACE.groups, source_cost(codes))
    assert terms[0] == (2,)
    assert {(0,), (1,), (3,), (0, 1)} <= set(terms)
    assert not any(4 in term for term in terms)


def test_columns_of_an_interaction_are_products() -> None:
    codes = SPACE.draw(20, np.random.default_rng(0))
    features = SPACE.features(codes) - 0.5
    (product,) = columns(SPACE.features(codes), SPACE.groups, [(0, 1)])
    expected = np.stack([features[:, 0] * features[:, column] for column in (1, 2, 3)], axis=1)
    assert product == pytest.approx(expected)


@settings(max_examples=6)
@given(rows=st.integers(0, 30), seed=st.integers(0, 100))
def test_any_measurements_give_finite_predictions(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wild = measured(SPACE, "wild", lambda codes: rng.normal(0, 5, len(codes)), rows or 1, seed)
    found = fit([elsewhere()], wild.rows(np.arange(rows)), "latency_s").predict(ASKED)
    assert np.isfinite(found.value).all()
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
