"""What each workload is judged with comes from the others: against one whose labels are turned over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.selection.learning import FALLOFFS, Window, Windows, learn
from sidecar.estimation.accuracy.error_model import ErrorModel, Judged
from sidecar.estimation.accuracy.learned import LEARNED, Learned

TRUE = ErrorModel(level=-0.2, pool=0.9, spread=0.7, shared_sd=0.2, own_sd=0.2, validated=0.5)
NOTHING = frozenset[str]()


def window(workload: str, rng: np.random.Generator, *, noise: float = 0.0) -> Window:
    """A target whose truth is drawn from an error model; its consensus is off by `noise` beyond that."""
    consensus = rng.uniform(0.3, 0.9, 9)
    truth = TRUE.drawn(consensus[None], np.arange(9), rng)[0]
    consensus = np.clip(consensus + rng.normal(0, noise, 9), 0, 1)
    return Window(
        judged=Judged(workload, consensus, truth),
        quality=truth,
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


def test_what_loses_less_by_chance_only_does_not_displace_the_middle() -> None:
    found = workloads(best=2.0)
    # In three of five workloads the middle one loses less.
    for name in "abc":
        found[name] = targets(name, np.random.default_rng(1))
    assert learn(found, NOTHING)[""].falloff == 1.0


def test_with_few_other_workloads_the_release_stands_for_them() -> None:
    found = workloads()
    learned = learn({name: found[name] for name in "abc"}, NOTHING)
    assert learned["a"] == LEARNED
    assert isinstance(learned[""], Learned)
    assert learned[""] != LEARNED
