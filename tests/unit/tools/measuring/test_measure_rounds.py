from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.estimation.performance.space import Option, OptionKind, Space, Value
from sidecar.tools.measuring.journal import Journal
from sidecar.tools.measuring.measure import Outcome, Runner, measure
from sidecar.tools.measuring.observation import Observation

SPACE = Space((Option("batch_size", OptionKind.LOG, (1, 2, 4), 1),))
ROUNDS = 5

Observe = Callable[[Mapping[str, Value], int], Observation]


class Scripted:
    """A runner that does as it is told; counts what it was asked."""

    def __init__(self, observe: Observe) -> None:
        self.asked: list[Mapping[str, Value]] = []
        self._observe = observe

    def observe(self, configuration: Mapping[str, Value]) -> Observation:
        self.asked.append(configuration)
        return self._observe(configuration, len(self.asked) - 1)


def seen(value: float, others: float = 0.0) -> Observation:
    return Observation({"latency_s": value}, others)


def run(folder: Path, runner: Runner, progress: Callable[[], None] = lambda: None) -> Outcome:
    with Journal(folder / "t.parquet", {}) as journal:
        return measure(
            SPACE.every(),
            space=SPACE,
            fixed={"provider": "cpu"},
            environment={"hardware": "test"},
            runner=runner,
            journal=journal,
            rounds=ROUNDS,
            rng=np.random.default_rng(0),
            progress=progress,
        )


def size(configuration: Mapping[str, Value]) -> float:
    return float(configuration["batch_size"])


def test_each_configuration_is_run_in_every_round_with_what_is_fixed(tmp_path: Path) -> None:
    runner = Scripted(lambda configuration, _: seen(size(configuration)))
    done: list[None] = []
    outcome = run(tmp_path, runner, lambda: done.append(None))
    assert len(runner.asked) == len(done) == 3 * ROUNDS
    for number in range(ROUNDS):
        assert {size(one) for one in runner.asked[3 * number : 3 * number + 3]} == {1, 2, 4}
    assert all(one["provider"] == "cpu" for one in runner.asked)
    assert outcome.table.metrics["latency_s"] == pytest.approx([1, 2, 4])
    assert outcome.table.metrics["latency_s_low"] == pytest.approx([1, 2, 4])
    assert outcome.table.environment == {"hardware": "test"}
    assert not outcome.failures


def test_the_order_changes_from_round_to_round(tmp_path: Path) -> None:
    runner = Scripted(lambda configuration, _: seen(size(configuration)))
    run(tmp_path, runner)
    orders = {tuple(map(size, runner.asked[at : at + 3])) for at in range(0, 3 * ROUNDS, 3)}
    assert len(orders) > 1


def test_disturbed_rounds_are_repeated_and_left_out(tmp_path: Path) -> None:
    runner = Scripted(lambda _, number: seen(9.0, 1.5) if number < 6 else seen(1.0))
    outcome = run(tmp_path, runner)
    assert len(runner.asked) == 3 * ROUNDS + 6
    assert outcome.table.metrics["latency_s_high"] == pytest.approx([1, 1, 1])
    assert outcome.others == 0


def test_a_machine_that_is_never_quiet_is_measured_as_it_is(tmp_path: Path) -> None:
    runner = Scripted(lambda _, __: seen(2.0, 1.5))
    outcome = run(tmp_path, runner)
    assert len(runner.asked) == 3 * ROUNDS
    assert outcome.table.metrics["latency_s"] == pytest.approx([2, 2, 2])
    assert outcome.others == pytest.approx(1.5)


def test_patience_ends(tmp_path: Path) -> None:
    # Quiet once, never again.
    runner = Scripted(lambda _, number: seen(1.0, 1.5 if number else 0.0))
    run(tmp_path, runner)
    assert len(runner.asked) == 2 * 3 * ROUNDS


def test_a_configuration_that_does_not_run_is_told_and_asked_once(tmp_path: Path) -> None:
    def observe(configuration: Mapping[str, Value], _: int) -> Observation:
        if size(configuration) == 2:
            raise InvalidError("too large")
        return seen(1.0)

    runner = Scripted(observe)
    outcome = run(tmp_path, runner)
    assert outcome.failures == (({"batch_size": 2}, "too large"),)
    assert len(outcome.table) == 2
    assert sum(size(one) == 2 for one in runner.asked) == 1


def test_where_no_configuration_runs_the_reason_is_told_and_the_next_run_begins_anew(tmp_path: Path) -> None:
    def observe(_: Mapping[str, Value], __: int) -> Observation:
        raise InvalidError("no such provider")

    with pytest.raises(InvalidError, match="no such provider"):
        run(tmp_path, Scripted(observe))
    assert len(run(tmp_path, Scripted(lambda _, __: seen(1.0))).table) == 3


@pytest.mark.parametrize("until", range(0, 3 * ROUNDS, 4))
def test_work_that_was_cut_off_goes_on_to_the_same_table(tmp_path: Path, until: int) -> None:
    def observe(configuration: Mapping[str, Value], number: int) -> Observation:
        if number == until:
            raise UnavailableError("gone")
        return seen(size(configuration))

    with pytest.raises(UnavailableError):
        run(tmp_path, Scripted(observe))
    rest = Scripted(lambda configuration, _: seen(size(configuration)))
    outcome = run(tmp_path, rest)
    assert len(rest.asked) == 3 * ROUNDS - until
    assert outcome.table.metrics["latency_s"] == pytest.approx([1, 2, 4])
