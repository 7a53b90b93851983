"""What each workload is judged with comes from the others: against one whose labels are turned over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.selection.learning import FALLOFFS, Window, Windows, learn
from sidecar.accuracy.error_model import ErrorModel, Judged
from sidecar.accuracy.learned import LEARNED, Learned

TRUE = ErrorModel(level=-0.2, pool=0.9, spread=0.7, shared_sd=0.2, own_sd=0.2, validated=0.5)
NOTHING = frozenset[str]()


def window(workload: str, rng: np.random.Generator, *, noise: float = 0.0, concord: float = 0.9) -> Window:
    """A target whose truth is drawn from an error model; its consensus is off by `noise` beyond that."""
    consensus = rng.uniform(0.3, 0.9, 9)
    truth = TRUE.drawn(consensus[None], np.arange(9), rng)[0]
    consensus = np.clip(consensus + rng.normal(0, noise, 9), 0, 1)
    return Window(
        judged=Judged(workload, consensus, truth),
        quality=truth,
        draws=np.clip(consensus + rng.normal(0, 0.01, (100, 9)), 0, 1),
        alike=np.arange(9),
        concord=concord,
        doubted=False,
    )


def targets(workload: str, rng: np.random.Generator, best: float = 1.0) -> list[Windows]:
    """Twelve targets where one falloff loses less than the others."""
    made: list[Windows] = []
    for _ in range(12):
        seed = int(rng.integers(1 << 30))
        made.append(
            {
                falloff: window(workload, np.random.default_rng(seed), noise=0.0 if falloff == best else 0.2)
                for falloff in FALLOFFS
            }
        )
    return made


def workloads(best: float = 1.0) -> dict[str, list[Windows]]:
    rng = np.random.default_rng(0)
    return {name: targets(name, rng, best) for name in "abcde"}


def turned(found: list[Windows]) -> list[Windows]:
    """The same targets with other right answers."""

    def other(one: Window) -> Window:
        judged = dataclasses.replace(one.judged, truth=1 - one.judged.truth)
        return dataclasses.replace(one, judged=judged, quality=1 - one.quality)

    return [{falloff: other(one) for falloff, one in target.items()} for target in found]


@pytest.mark.parametrize("name", list("abcde"))
def test_no_label_of_a_workload_reaches_what_it_is_judged_with(name: str) -> None:
    found = workloads()
    learned, other = learn(found, NOTHING), learn(found | {name: turned(found[name])}, NOTHING)
    assert learned[name] == other[name]
    assert learned[""] != other[""]


def test_a_control_teaches_nothing_and_is_judged_with_what_all_others_taught() -> None:
    found = workloads()
    learned = learn(found, frozenset("e"))
    assert learned["e"] == learned[""]
    assert learned[""] == learn(found | {"e": turned(found["e"])}, frozenset("e"))[""]


@pytest.mark.parametrize("best", FALLOFFS)
def test_the_falloff_is_the_one_that_loses_least(best: float) -> None:
    assert {one.falloff for one in learn(workloads(best), NOTHING).values()} == {best}


def test_of_good_rankings_that_nothing_speaks_against_at_most_a_twentieth_is_doubted() -> None:
    found = workloads()
    learned = learn(found, NOTHING)["a"]
    promises = [
        target[learned.falloff].promises(learned.errors)
        for name in "bcde"
        for target in found[name]
        if (target[learned.falloff].score(learned.errors).spearman or 0) >= 0.3
    ]
    assert sum(one < learned.resolved for one in promises) == int(0.05 * (len(promises) - 1)) > 0
    doubted = {
        name: [
            {key: dataclasses.replace(one, doubted=index < 6) for key, one in target.items()}
            for index, target in enumerate(some)
        ]
        for name, some in found.items()
    }
    assert learn(doubted, NOTHING)["a"].resolved != learned.resolved


def test_an_order_promises_the_less_of_two_correlations() -> None:
    rng = np.random.default_rng(3)
    sure, contradicted = window("a", rng, concord=1.0), window("a", rng, concord=-0.2)
    assert 0.3 < sure.promises(TRUE) < 1
    assert contradicted.promises(TRUE) == pytest.approx(-0.2)


def test_with_few_other_workloads_the_release_stands_for_them() -> None:
    found = workloads()
    learned = learn({name: found[name] for name in "abc"}, NOTHING)
    assert learned["a"] == LEARNED
    assert isinstance(learned[""], Learned)
    assert learned[""] != LEARNED
