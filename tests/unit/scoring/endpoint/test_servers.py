"""Candidates behind servers, played by models that answer when the test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.core.ranking import State
from sidecar.core.tensors import Array, Batch
from tests.support.server_stage import BATCH, DOWN, EVERY_S, ROWS, Played, Stage, reason, state


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    made.rank()
    yield made
    made.scorer.close()


def backed_off(stage: Stage) -> None:
    stage.scorer.interference.allow(1.25)
    stage.scorer.interference.backed_off = True
    stage.scorer.interference.ratio = 1.5
    # Nothing is tried before the pause is over, however long the test takes.
    stage.scorer.interference._held_to = stage.scorer.interference._heard_at = float("inf")


def test_while_shadow_work_backs_off_models_rest_and_rankings_say_so(stage: Stage) -> None:
    stage.send(ROWS[:200])
    assert state(stage.rank()) is not State.UNAVAILABLE
    backed_off(stage)
    stage.send(ROWS[200:300])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 200
    assert state(ranking) is not State.UNAVAILABLE
    # The window goes on with the traffic, and what the incumbent answered comes with that.
    for row in ROWS:
        stage.scorer.observe(Batch({"x": row[None]}, {"p": np.full((1, 2), 0.5, np.float32)}))
    ranking = stage.rank()
    assert not stage.scorer.rejected
    assert ranking is not None
    assert state(ranking) is State.UNAVAILABLE
    assert reason(ranking).startswith("shadow work backs off: beside it the model server takes 1.50 times as")
    assert [one.items for one in stage.scorer.candidates][1:] == [200, 200]
    assert stage.scorer.candidates[0].answers_seen == 400
    stage.scorer.interference.allow(None)
    assert state(stage.rank()) is not State.UNAVAILABLE
    assert [one.items for one in stage.scorer.candidates][1:] == [600, 600]


def test_candidates_of_one_server_share_what_may_be_under_way(stage: Stage) -> None:
    stage.servers.in_flight = 1
    stage.far.may_answer.clear()
    stage.send(ROWS[: 4 * BATCH])
    while stage.scorer.step():
        pass
    assert len(stage.scorer.under_way) == 1
    stage.far.may_answer.set()
    assert stage.rank() is not None
    assert stage.scorer.candidates[2].items == 4 * BATCH


def test_a_server_answers_what_the_others_answer(stage: Stage) -> None:
    stage.send(ROWS[:100])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 100
    assert [one.items for one in stage.scorer.candidates] == [100, 100, 100]
    assert state(ranking) is not State.UNAVAILABLE


def test_no_more_is_under_way_than_is_allowed_and_nobody_waits(stage: Stage) -> None:
    stage.far.may_answer.clear()
    stage.send(ROWS[:100])
    stage.work()
    assert len(stage.scorer.under_way) == 2
    assert [one.items for one in stage.scorer.candidates] == [96, 96, 0]
    _until(lambda: len(stage.far.asked) == 2)


def test_a_round_waits_half_its_time_and_the_late_answer_counts_in_the_next(stage: Stage) -> None:
    stage.send(ROWS[:60])
    stage.rank()
    stage.far.may_answer.clear()
    stage.send(ROWS[60:100])
    stage.now += EVERY_S
    assert stage.work() is None
    assert stage.scorer.due_in() == EVERY_S / 2
    stage.now += EVERY_S / 2
    ranking = stage.work()
    assert ranking is not None
    assert ranking.items == 60  # those that all answered
    assert state(ranking) is not State.UNAVAILABLE
    stage.far.may_answer.set()
    ranking = stage.rank()  # nothing new was sent
    assert ranking is not None
    assert ranking.items == 100


def test_a_server_that_falls_behind_rejects_nothing_and_skips_what_left_the_window(stage: Stage) -> None:
    stage.scorer.configure(stage.endpoint("far", window=64))
    stage.rank()
    stage.far.may_answer.clear()
    for start in range(0, 320, 20):
        stage.send(ROWS[start : start + 20])
        stage.work()
    assert not stage.scorer.rejected
    stage.far.may_answer.set()
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 64
    assert stage.scorer.candidates[2].items < 320


def test_a_late_answer_does_not_take_the_place_of_a_newer_one(stage: Stage) -> None:
    stage.scorer.configure(stage.endpoint("far", window=32))
    stage.rank()
    stage.far.may_answer.clear()
    stage.send(ROWS[:16])
    stage.work()
    old = stage.scorer.under_way
    stage.send(ROWS[16:48])
    stage.far.may_answer.set()
    assert [answer.result(5).first_id for answer in old] == [0]
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 32


def test_a_server_that_is_down_is_a_state_in_the_next_round_and_all_it_missed_is_answered_later(
    stage: Stage,
) -> None:
    stage.send(ROWS[:100])
    stage.rank()
    stage.far.fault = DOWN
    stage.send(ROWS[100:110])  # less than a batch
    ranking = stage.rank()
    assert state(ranking) is State.UNAVAILABLE
    assert reason(ranking) == "nobody is there"
    assert ranking is not None
    assert ranking.items == 110  # those of the others
    assert len(stage.far.asked) - 7 == 3  # the batch three times, then no more
    stage.send(ROWS[110:300])
    assert state(stage.rank()) is State.UNAVAILABLE
    stage.far.fault = None
    ranking = stage.rank()
    assert state(ranking) is not State.UNAVAILABLE
    assert ranking is not None
    assert ranking.items == 300


def test_a_state_that_changes_makes_a_round_though_nothing_was_sent(stage: Stage) -> None:
    stage.far.fault = DOWN
    stage.send(ROWS[:100])
    assert state(stage.rank()) is State.UNAVAILABLE
    assert stage.rank() is None
    stage.far.fault = None
    ranking = stage.rank() or stage.rank()
    assert state(ranking) is not State.UNAVAILABLE
    assert ranking is not None
    assert ranking.items == 100
    assert stage.rank() is None


def test_one_odd_batch_is_passed_over(stage: Stage) -> None:
    stage.far.fault = InvalidError("this one I do not like")
    stage.send(ROWS[:16])
    stage.work()
    stage.far.fault = None
    stage.send(ROWS[16:100])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 84
    assert stage.scorer.candidates[2].failures == 16
    assert state(ranking) is not State.UNAVAILABLE


def test_a_server_that_refuses_everything_is_a_state_and_is_asked_seldom(stage: Stage) -> None:
    stage.far.fault = InvalidError("no such model")
    stage.send(ROWS[:200])
    ranking = stage.rank()
    assert reason(ranking) == "no such model"
    asked = len(stage.far.asked)
    for _ in range(100):
        stage.now += 0.01
        stage.work()
    assert len(stage.far.asked) - asked <= 3 * 2


@pytest.mark.parametrize("in_flight", [1, 2, 3])
@pytest.mark.parametrize("odd", [(0,), (0, 32), (0, 16, 32, 48)])
def test_batches_that_no_server_survives_do_not_keep_the_candidate_out(
    stage: Stage, in_flight: int, odd: tuple[int, ...]
) -> None:
    stage.scorer.configure(stage.endpoint("far", in_flight=in_flight))
    stage.rank()
    poison = {float(ROWS[place, 0]) for place in odd}
    answer = stage.far.run

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        if float(inputs["x"][0, 0]) in poison:
            raise UnavailableError("it fell over")
        return answer(inputs)

    stage.far.run = run  # type: ignore[method-assign]
    stage.send(ROWS[:192])
    rankings = [stage.rank() for _ in range(8)]
    last = [ranking for ranking in rankings if ranking is not None][-1]
    assert state(last) is not State.UNAVAILABLE
    assert last.items == 192 - BATCH * len(odd)


def test_inputs_are_binned_once_however_often_items_are_asked(stage: Stage) -> None:
    stage.send(ROWS[:40])
    stage.rank()
    stage.far.fault = DOWN
    stage.send(ROWS[40:140])
    stage.rank()
    stage.far.fault = None
    stage.send(ROWS[140:250])
    stage.rank()
    counts = []
    for one in stage.scorer.candidates:
        assert one.loaded is not None
        counts.append(one.loaded.binning.target.statistics())
    assert counts[2].items == counts[0].items
    np.testing.assert_array_equal(counts[2].mean, counts[0].mean)


def test_a_candidate_that_goes_is_closed_and_its_threads_end(stage: Stage) -> None:
    stage.far.may_answer.clear()
    stage.send(ROWS[:100])
    stage.work()
    assert _threads()
    stage.scorer.configure(stage.endpoint())
    assert stage.far.closed
    assert not stage.models["a"].closed
    _until(lambda: not _threads())
    stage.scorer.close()
    assert stage.models["a"].closed


def test_a_new_profile_opens_the_model_anew(stage: Stage) -> None:
    stage.send(ROWS[:100])
    stage.rank()
    old = stage.far
    stage.models["far"] = Played()
    (stage.folder / "far").write_text("new")
    ranking = stage.rank()
    assert old.closed
    assert ranking is not None
    assert ranking.items == 100
    assert len(stage.far.asked) == 7


def test_a_file_is_answered_by_a_server_too(stage: Stage) -> None:
    stage.send(ROWS[:100])
    stage.scorer.catch_up()
    assert stage.scorer.rank().ranking.items == 100
    stage.far.fault = DOWN
    stage.send(ROWS[100:200])
    stage.scorer.catch_up()
    assert state(stage.scorer.rank().ranking) is State.UNAVAILABLE


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("shadow")]


def _until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.001)
