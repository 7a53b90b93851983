from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.scoring.runners.breaker import Breaker


class Stage:
    def __init__(self) -> None:
        self.now = 100.0
        self.breaker = Breaker(lambda: self.now)

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.breaker.failed()

    def waits_s(self) -> float:
        """Until a try is let through."""
        began = self.now
        while not self.breaker.admits(0):
            self.now += 0.25
        return self.now - began


def test_a_few_failures_in_a_row_open_it_and_an_answer_closes_it() -> None:
    stage = Stage()
    stage.fail(2)
    stage.breaker.succeeded()
    stage.fail(2)
    assert not stage.breaker.open
    stage.fail(1)
    assert stage.breaker.open
    assert not stage.breaker.admits(0)
    stage.breaker.succeeded()
    assert not stage.breaker.open
    assert stage.breaker.admits(5)


def test_pauses_grow_to_a_bound_and_begin_anew_after_an_answer() -> None:
    stage = Stage()
    pauses = []
    for _ in range(6):
        stage.fail(3)
        pauses.append(stage.waits_s())
    assert pauses == [0.5, 1, 2, 4, 5, 5]
    stage.breaker.succeeded()
    stage.fail(3)
    assert stage.waits_s() == 0.5


def test_after_a_pause_one_try_at_a_time_is_let_through() -> None:
    stage = Stage()
    stage.fail(3)
    stage.waits_s()
    assert stage.breaker.admits(0)
    assert not stage.breaker.admits(1)
    stage.fail(2)
    assert stage.breaker.admits(0)


@given(st.lists(st.booleans(), max_size=60), st.lists(st.floats(0, 3), min_size=60, max_size=60))
def test_it_is_open_from_three_failures_in_a_row_to_the_next_answer(
    outcomes: list[bool], waits_s: list[float]
) -> None:
    stage = Stage()
    row, is_open = 0, False
    for answered, wait_s in zip(outcomes, waits_s, strict=False):
        stage.now += wait_s
        row = 0 if answered else row + 1
        is_open = not answered and (is_open or row >= 3)
        if answered:
            stage.breaker.succeeded()
        else:
            stage.breaker.failed()
        assert stage.breaker.open == is_open
        assert stage.breaker.admits(0) or is_open
