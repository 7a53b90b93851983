"""The worker's loop between two pipes, with models, a budget and a CPU clock that the test controls."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.scoring import worker as room
from sidecar.scoring.endpoint.rounds import Round
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.wire.frames import frame
from tests.support.worker_stage import ROWS, Stage, observation, observations


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def ends_at(stage: Stage, items: int) -> Callable[[scoring_pb2.Report], None]:
    """Ends the serving process when a round is over so many items."""

    def then(report: scoring_pb2.Report) -> None:
        if report.ranking.items == items:
            stage.serving.end()

    return then


def test_requests_become_rankings_until_the_serving_process_is_gone(stage: Stage) -> None:
    stage.serving.then = ends_at(stage, 60)
    stage.serving.instruct(stage.desired("e", generation=7), *observations("e", ROWS[:60]))
    *_, last = stage.work()
    assert (last.endpoint, last.generation) == ("e", 7)
    assert (last.counters.items, last.counters.shadow_items["e"]) == (60, 60)
    assert stage.models["e"].closed


def test_messages_that_are_cut_by_the_pipe_are_put_together(stage: Stage) -> None:
    told = [stage.desired("e"), *observations("e", ROWS[:60])]
    stream = b"".join(frame(one.SerializeToString()) for one in told)
    stage.serving.then = ends_at(stage, 60)

    def trickle() -> None:
        for start in range(0, len(stream), 1000):
            os.write(stage.serving.writing, stream[start : start + 1000])
            time.sleep(0.001)

    writer = threading.Thread(target=trickle)
    writer.start()
    stage.work()
    writer.join()
    assert stage.models["e"].items == 60


def test_an_idle_worker_gives_signs_of_life(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_IDLE_S", 0.01)
    stage.serving.then = lambda _: stage.serving.end() if len(stage.serving.reports) == 3 else None
    assert stage.work() == []
    assert [report.under_way for report in stage.serving.reports] == [""] * 3


def test_a_debt_of_cpu_time_is_slept_off_at_rest_before_anything_else(tmp_path: Path) -> None:
    stage = Stage(tmp_path, cpu_share=0.5)
    stage.serving.instruct(stage.desired("e"))
    stage.cpu_s = 0.1
    stage.work()
    seconds, resting = stage.slept_s[0]
    assert seconds == pytest.approx(0.2, abs=0.15)
    assert resting
    assert all(resting for _, resting in stage.slept_s)


def test_an_odd_request_is_counted_and_stops_nobody(stage: Stage) -> None:
    stage.serving.then = ends_at(stage, 60)
    odd = observation("e", ROWS[0])
    odd.observation.pushed.inputs[0].contents = b"cut"
    broken = scoring_pb2.Instruction(
        observation=scoring_pb2.Observation(endpoint="e", pushed=traffic_pb2.ObserveRequest(endpoint="e"))
    )
    stage.serving.instruct(
        stage.desired("e"), odd, broken, observation("nobody", ROWS[0]), *observations("e", ROWS[:60])
    )
    *_, last = stage.work()
    assert sum(last.counters.requests_rejected.values()) == 2
    assert last.counters.items == 60


def test_a_round_that_fails_leaves_the_other_endpoints_theirs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = EndpointScorer.round

    def fails(scorer: EndpointScorer) -> Round | None:
        if scorer.settings.name == "bad":
            raise RuntimeError("this endpoint cannot be ranked")
        return made(scorer)

    monkeypatch.setattr(EndpointScorer, "round", fails)
    stage.serving.then = ends_at(stage, 60)
    stage.serving.instruct(stage.desired("bad", "good"), *observations("good", ROWS[:60]))
    with structlog.testing.capture_logs() as logs:
        reports = stage.work()
    assert {report.endpoint for report in reports} == {"good"}
    assert {entry["endpoint"] for entry in logs if entry["event"] == "round failed"} == {"bad"}


def test_every_endpoint_gets_its_turn(stage: Stage) -> None:
    done: set[str] = set()

    def then(report: scoring_pb2.Report) -> None:
        if report.ranking.items == 60:
            done.add(report.endpoint)
        if done == {"a", "b"}:
            stage.serving.end()

    stage.serving.then = then
    stage.serving.instruct(
        stage.desired("a", "b"), *observations("a", ROWS[:60]), *observations("b", ROWS[:60])
    )
    stage.work()
    assert done == {"a", "b"}


def test_new_settings_keep_the_endpoints_that_stay_and_close_those_that_go(stage: Stage) -> None:
    def then(report: scoring_pb2.Report) -> None:
        if report.generation == 1 and report.ranking.items == 60:
            stage.serving.instruct(stage.desired("stays", generation=2), *observations("stays", ROWS[60:100]))
        elif report.generation == 2 and report.ranking.items == 100:
            assert stage.models["goes"].closed
            assert not stage.models["stays"].closed
            stage.serving.end()

    stage.serving.then = then
    stage.serving.instruct(stage.desired("stays", "goes"), *observations("stays", ROWS[:60]))
    *_, last = stage.work()
    assert (last.generation, last.endpoint) == (2, "stays")
    assert stage.models["stays"].items == 100


def test_settings_that_are_not_understood_leave_the_old_ones(stage: Stage) -> None:
    stage.serving.then = ends_at(stage, 60)
    wrong = scoring_pb2.Instruction(
        desired=scoring_pb2.Desired(generation=2, config_json='{"endpoints": "none"}')
    )
    stage.serving.instruct(stage.desired("e"), wrong, *observations("e", ROWS[:60]))
    with structlog.testing.capture_logs() as logs:
        *_, last = stage.work()
    assert last.generation == 1
    assert any(entry["log_level"] == "error" for entry in logs)


def test_a_flood_stays_in_the_pipe(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_READS", 1)
    stage.serving.then = ends_at(stage, 60)
    taken: list[int] = []
    gathered = stage.worker._gathered

    def counted() -> list[bytes]:
        messages = gathered()
        taken.append(len(messages))
        return messages

    monkeypatch.setattr(stage.worker, "_gathered", counted)
    stage.serving.instruct(stage.desired("e"), *observations("e", ROWS[:60]))
    stage.work()
    assert sum(taken) == 61
