"""What is learned from windows of known truth: recovered where known, and blind to the source judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.selection.learning import Known, learn
from sidecar.estimation.accuracy.errors import draw
from sidecar.estimation.accuracy.learned import Learned, Signals

# Truth lies a known way off the agreement, with known errors.
TRUE = Learned(
    level=(-0.3, 0.8, 0, 0, 0, 0),
    spread=0.7,
    level_error=(float(np.log(0.3)), 0, 0, 0, 0, 0),
    own_error=(float(np.log(0.2)), 0, 0),
    widening=1.0,
    validated_widening=1.0,
    sure=0.9,
)


def windows(source: str, rng: np.random.Generator, many: int = 8) -> list[Known]:
    """Windows whose truth is drawn from what is to be learned."""
    made = []
    for _ in range(many):
        consensus = np.clip(rng.uniform(0.4, 0.8) + rng.uniform(-0.2, 0.2, 6), 0.05, 0.95)
        signals = Signals(
            items=100_000,
            classes=4,
            consensus=consensus,
            pooled=np.clip(consensus + rng.normal(0, 0.02), 0.05, 0.95),
            agreement=np.clip(consensus + rng.normal(0, 0.02), 0.05, 0.95),
            kappa=float(rng.uniform(0.2, 0.8)),
            correlation=np.eye(6),
            fit=np.zeros(6),
            promised=np.full(6, np.nan),
            validation_rows=np.zeros(6),
        )
        _, draws = draw(signals, TRUE, rng, 2)
        made.append(Known(source, signals, draws[0]))
    return made


def sources(many: int = 20) -> dict[str, list[Known]]:
    rng = np.random.default_rng(0)
    return {f"s{number}": windows(f"s{number}", rng) for number in range(many)}


def test_factors_and_errors_are_recovered() -> None:
    found = learn([one for some in sources().values() for one in some])
    assert found.spread == pytest.approx(0.7, abs=0.07)
    assert np.exp(found.own_error[0]) < 1
    # Of 20 sources and the next one, which counts as missed, nine in ten are to hold the truth.
    level = 0.9 * 21 / 20
    expected = norm.ppf((1 + level) / 2) / norm.ppf(0.95)
    assert found.widening == pytest.approx(expected, abs=0.25)
    assert 0.5 <= found.sure <= 1


def test_intervals_hold_as_often_as_they_say_on_sources_left_out() -> None:
    made = sources()
    held = []
    for name in list(made)[:6]:
        learned = learn([one for other, some in made.items() if other != name for one in some])
        for one in made[name]:
            _, draws = draw(one.signals, learned, np.random.default_rng(0), 400)
            low, high = np.quantile(draws, [0.05, 0.95], axis=0)
            held.append(((low <= one.accuracy) & (one.accuracy <= high)).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.07)


def test_no_label_of_a_source_reaches_what_it_is_judged_with() -> None:
    made = sources(6)

    def learned_without(name: str) -> Learned:
        return learn([one for other, some in made.items() if other != name for one in some])

    before = learned_without("s0")
    made["s0"] = [dataclasses.replace(one, accuracy=1 - one.accuracy) for one in made["s0"]]
    assert learned_without("s0") == before
    assert learned_without("s1") != learned_without("s0")


def test_every_source_counts_the_same_however_many_windows_it_has() -> None:
    made = sources(6)
    rng = np.random.default_rng(1)
    made["s0"] = [
        dataclasses.replace(one, accuracy=np.clip(one.accuracy - 0.3, 0, 1)) for one in windows("s0", rng)
    ]
    once = learn([one for some in made.values() for one in some])
    made["s0"] = made["s0"] * 20
    often = learn([one for some in made.values() for one in some])
    assert often.level == pytest.approx(once.level, abs=0.02)
