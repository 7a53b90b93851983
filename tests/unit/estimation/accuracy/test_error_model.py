from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sidecar.estimation.accuracy.error_model import FITTED, ErrorModel, Judged, fit_error_model

NOTHING = ErrorModel(level=0, pool=1, spread=1, shared_sd=0, own_sd=0, validated=0)
TRUE = ErrorModel(level=-0.2, pool=0.9, spread=0.7, shared_sd=0.25, own_sd=0.3, validated=0.5)
SHARES = arrays(np.float64, st.integers(2, 6), elements=st.floats(0, 1))


@given(SHARES)
def test_no_correction_gives_the_consensus_back(consensus: np.ndarray) -> None:
    assert NOTHING.corrected(consensus) == pytest.approx(consensus)


@given(SHARES)
def test_the_correction_keeps_the_order_and_stays_a_share(consensus: np.ndarray) -> None:
    corrected = FITTED.corrected(consensus)
    assert ((corrected >= 0) & (corrected <= 1)).all()
    assert (np.diff(corrected[np.argsort(consensus)]) >= -1e-12).all()


@given(SHARES, st.randoms())
def test_the_order_of_candidates_changes_nothing(consensus: np.ndarray, random: object) -> None:
    order = np.random.default_rng(abs(hash(random)) % 1000).permutation(len(consensus))
    assert FITTED.corrected(consensus[order]) == pytest.approx(FITTED.corrected(consensus)[order])


def made(windows: int, seed: int) -> list[Judged]:
    """Windows whose truth is drawn from the model itself."""
    rng = np.random.default_rng(seed)
    judged = []
    for number in range(windows):
        candidates = int(rng.integers(4, 30))
        consensus = np.clip(rng.uniform(0.4, 0.9) + rng.normal(0, 0.1, candidates), 0.05, 0.95)
        truth = TRUE.drawn(consensus[None], np.arange(candidates), rng)[0]
        judged.append(Judged(f"group-{number % 5}", consensus, truth))
    return judged


def test_the_fit_finds_what_the_truth_was_drawn_with() -> None:
    found = fit_error_model(made(1500, 0))
    assert found.level == pytest.approx(TRUE.level, abs=0.1)
    assert found.pool == pytest.approx(TRUE.pool, abs=0.05)
    assert found.spread == pytest.approx(TRUE.spread, abs=0.05)
    assert found.shared_sd == pytest.approx(TRUE.shared_sd, rel=0.15)
    assert found.own_sd == pytest.approx(TRUE.own_sd, rel=0.1)


def test_a_few_windows_that_are_far_off_hardly_move_the_fit() -> None:
    windows = made(300, 3)
    off = [Judged(one.group, one.consensus, 1 - one.truth) for one in windows[:15]]
    clean, spoilt = fit_error_model(windows), fit_error_model(windows[15:] + off)
    assert spoilt.level == pytest.approx(clean.level, abs=0.1)
    assert spoilt.spread == pytest.approx(clean.spread, abs=0.1)


def test_a_group_weighs_as_much_as_another_whatever_its_windows() -> None:
    here, there = made(1, 1)[0], made(2, 2)[1]
    once = fit_error_model(
        [Judged("a", here.consensus, here.truth), Judged("b", there.consensus, there.truth)]
    )
    often = fit_error_model(
        [Judged("a", here.consensus, here.truth)] * 7 + [Judged("b", there.consensus, there.truth)]
    )
    assert often.level == pytest.approx(once.level)
    assert often.own_sd == pytest.approx(once.own_sd)


def test_draws_err_as_the_model_says_and_alike_candidates_err_alike() -> None:
    draws = TRUE.drawn(np.full((20_000, 3), 0.7), np.array([0, 1, 1]), np.random.default_rng(0))
    assert (draws[:, 1] == draws[:, 2]).all()
    inner = 0.01 + 0.98 * draws
    odds = np.log(inner / (1 - inner))
    assert odds[:, 0].std() == pytest.approx(np.hypot(TRUE.shared_sd, TRUE.own_sd), rel=0.03)
    expected = TRUE.shared_sd**2 / (TRUE.shared_sd**2 + TRUE.own_sd**2)
    assert np.corrcoef(odds[:, 0], odds[:, 1])[0, 1] == pytest.approx(expected, abs=0.03)
