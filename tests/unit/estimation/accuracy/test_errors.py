"""Draws from signals: exact where the answer is known, joint where candidates are alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.tensors import Floats
from sidecar.estimation.accuracy.errors import (
    draw,
    from_answers,
    from_validation,
    log_odds,
    shares_of,
    spread_of,
)
from sidecar.estimation.accuracy.learned import Learned, Signals

# The level is the agreement's, the order the consensus', errors are a tenth of log odds.
PLAIN = Learned(
    level=(0, 1, 0, 0, 0, 0),
    spread=1.0,
    level_error=(float(np.log(0.1)), 0, 0, 0, 0, 0),
    own_error=(float(np.log(0.1)), 0, 0),
    widening=1.0,
    validated_widening=1.0,
    sure=0.9,
)
FOUR = np.array([0.9, 0.8, 0.7, 0.6])


def signals(
    consensus: Floats = FOUR,
    *,
    fit: float = 0.0,
    promised: float | Floats = np.nan,
    rows: float = 0.0,
    correlation: Floats | None = None,
    items: int = 2000,
) -> Signals:
    candidates = len(consensus)
    return Signals(
        items=items,
        classes=4,
        consensus=consensus,
        pooled=consensus,
        agreement=consensus,
        kappa=0.5,
        correlation=np.eye(candidates) if correlation is None else correlation,
        fit=np.full(candidates, fit),
        promised=np.broadcast_to(promised, candidates).astype(np.float64),
        validation_rows=np.full(candidates, rows),
    )


def drawn(of: Signals, learned: Learned = PLAIN, draws: int = 4000) -> tuple[Floats, Floats]:
    return draw(of, learned, np.random.default_rng(0), draws)


@given(st.floats(0, 1))
def test_log_odds_and_shares_are_inverse(share: float) -> None:
    assert shares_of(log_odds(np.array(share))) == pytest.approx(share, abs=1e-9)


def test_without_validation_the_level_and_the_order_are_the_answers() -> None:
    value, draws = drawn(signals())
    assert value == pytest.approx(FOUR)
    assert draws.mean(axis=0) == pytest.approx(FOUR, abs=1e-9)


def test_draws_have_the_covariance_that_the_errors_say() -> None:
    correlation = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    of = signals(np.full(4, 0.5), correlation=correlation, items=10**9)
    _, draws = drawn(of, draws=100_000)
    # At one half a share moves by a quarter of its log odds, less what the room takes.
    found = np.cov(draws.T) / (0.25 * 0.98**0 / 0.98) ** 2
    assert found == pytest.approx(0.01 + 0.01 * correlation, rel=0.05, abs=5e-4)


def test_copies_of_a_model_are_drawn_alike() -> None:
    correlation = np.ones((2, 2))
    for fit, promised in ((0.0, np.nan), (1.0, 0.8)):
        of = signals(np.full(2, 0.7), correlation=correlation, fit=fit, promised=promised, rows=100)
        _, draws = drawn(of)
        assert draws[:, 0] == pytest.approx(draws[:, 1], abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 0.95), st.integers(20, 5000))
def test_where_traffic_fits_the_interval_is_that_of_validation_sampling(promised: float, rows: int) -> None:
    vague = dataclasses.replace(PLAIN, level_error=(3.0, 0, 0, 0, 0, 0))
    of = signals(np.full(3, 0.5), fit=1.0, promised=promised, rows=rows, items=10**9)
    value, draws = drawn(of, vague)
    deviation = np.sqrt(promised * (1 - promised) / rows)
    assert value == pytest.approx(np.full(3, promised), abs=0.02)
    width = np.quantile(draws[:, 0], 0.95) - np.quantile(draws[:, 0], 0.05)
    assert width >= 0.5 * 2 * 1.645 * deviation
    assert width <= 2 * 1.645 * np.hypot(deviation, 0.05 * 0.25) * 1.3 + 0.01


def test_one_validated_candidate_corrects_the_level_of_all() -> None:
    promised = np.array([0.6, np.nan, np.nan, np.nan])
    of = dataclasses.replace(
        signals(),
        fit=np.array([1.0, 0, 0, 0]),
        promised=promised,
        validation_rows=np.array([10_000.0, 0, 0, 0]),
    )
    vague = dataclasses.replace(PLAIN, level_error=(1.0, 0, 0, 0, 0, 0))
    value, _ = drawn(of, vague)
    assert value[0] == pytest.approx(0.6, abs=0.02)
    assert (value[1:] < FOUR[1:] - 0.1).all()
    assert (np.diff(value) < 0).all()


def test_validation_that_does_not_fit_changes_nothing() -> None:
    plain, other = drawn(signals()), drawn(signals(fit=0.0, promised=0.2, rows=1000))
    assert plain[0] == pytest.approx(other[0])
    assert plain[1] == pytest.approx(other[1])


def test_a_chance_of_fitting_draws_from_both() -> None:
    of = signals(np.full(2, 0.5), fit=0.5, promised=0.9, rows=10_000, items=10**9)
    vague = dataclasses.replace(PLAIN, level_error=(0.0, 0, 0, 0, 0, 0))
    value, draws = drawn(of, vague)
    near = (np.abs(draws[:, 0] - draws[:, 0].max()) < 0.1).mean()
    assert value[0] == pytest.approx(0.7, abs=0.03)
    assert 0.4 < near < 0.7


def test_the_update_is_the_kalman_filters() -> None:
    of = signals(fit=1.0, promised=np.array([0.7, 0.75, 0.8, 0.5]), rows=300)
    means, errors = from_answers(of, PLAIN)
    found = from_validation(of, means, errors)
    assert found is not None
    sampling = (1 / 300 + 1 / of.items) / (of.promised * (1 - of.promised))
    noise = np.diag(sampling + 0.05**2)
    # The oracle: precision form, where both sides are informative.
    precision = np.linalg.inv(errors) + np.linalg.inv(noise)
    expected = np.linalg.solve(
        precision, np.linalg.solve(errors, means) + np.linalg.solve(noise, log_odds(of.promised))
    )
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(np.linalg.inv(precision))


def test_more_items_and_less_error_narrow_the_draws() -> None:
    widths = []
    for items, error in ((50, 0.3), (50, 0.1), (5000, 0.1)):
        learned = dataclasses.replace(PLAIN, own_error=(float(np.log(error)), 0, 0))
        _, draws = drawn(signals(items=items), learned)
        widths.append(float(np.ptp(np.quantile(draws[:, 1], [0.05, 0.95]))))
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[2]


def test_the_spread_has_no_level() -> None:
    assert spread_of(signals()).mean() == pytest.approx(0)
