"""When a round is due and how long it waits."""

from __future__ import annotations

from sidecar.scoring.endpoint.schedule import Schedule

EVERY_S = 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_round_is_due_at_once_and_then_at_equal_distances_from_its_begin() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    assert schedule.due
    schedule.begin(5, EVERY_S)
    assert schedule.goal == 5
    clock.now += 3
    schedule.end(100.0, EVERY_S)
    assert schedule.goal is None
    assert not schedule.due
    assert schedule.due_in() == EVERY_S - 3
    clock.now += EVERY_S - 3
    assert schedule.due
    assert schedule.due_in() == 0


def test_a_round_under_way_is_patient_for_half_the_time_between_rounds() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    assert not schedule.patient
    schedule.begin(5, EVERY_S)
    assert schedule.patient
    assert schedule.due_in() == EVERY_S / 2
    clock.now += EVERY_S / 2
    assert not schedule.patient
    assert schedule.due_in() == 0


def test_asking_changes_nothing_and_new_settings_make_a_round_due() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    schedule.begin(5, EVERY_S)
    schedule.end(clock.now, EVERY_S)
    answers = [(schedule.due, schedule.patient, schedule.due_in()) for _ in range(2)]
    assert answers[0] == answers[1] == (False, True, EVERY_S)
    schedule.hasten()
    assert schedule.due
