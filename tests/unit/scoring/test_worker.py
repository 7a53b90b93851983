"""The worker's loop between two pipes, with models, a budget and a CPU clock that the test controls."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import structlog
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.config.schema import Candidate, Config
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring import worker as room
from sidecar.scoring.cpu_budget import CpuBudget
from sidecar.scoring.endpoint.rounds import Round
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.runners.model import Model
from sidecar.scoring.worker import Worker
from sidecar.wire.frames import LENGTH, frame
from tests.support.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
EVERY_S = 0.02
# A test that hangs is ended by the end of the serving process's pipe.
PATIENCE_S = 20.0


class Side:
    """Says which side of 0 the first feature lies on."""

    inputs = (TensorSpec("x", "FP32", (2,)),)

    def __init__(self) -> None:
        self.items = 0
        self.closed = False

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.items += len(inputs["x"])
        second = 0.1 + 0.8 * (inputs["x"][:, 0] > 0)
        return {"p": np.stack([1 - second, second], axis=1)}

    def close(self) -> None:
        self.closed = True


class Serving(io.BytesIO):
    """The serving process's end: what the worker reports decides what it is told next."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[scoring_pb2.Report] = []
        self.reading, self.writing = os.pipe()
        self.open = True
        self.then: Callable[[scoring_pb2.Report], None] = lambda _: self.end()
        self._lock = threading.Lock()

    def write(self, message: object) -> int:
        assert isinstance(message, bytes)
        assert LENGTH.unpack_from(message)[0] == len(message) - LENGTH.size
        self.reports.append(scoring_pb2.Report.FromString(message[LENGTH.size :]))
        self.then(self.reports[-1])
        return len(message)

    def instruct(self, *instructions: scoring_pb2.Instruction) -> None:
        os.write(self.writing, b"".join(frame(one.SerializeToString()) for one in instructions))

    def end(self) -> None:
        with self._lock:
            if self.open:
                self.open = False
                os.close(self.writing)


class Stage:
    """A worker, the models of its candidates, and what it did while it rested."""

    def __init__(self, folder: Path, cpu_share: float = 1.0) -> None:
        self.folder = folder
        self.serving = Serving()
        self.models: dict[str, Side] = {}
        self.cpu_s = 0.0
        self.resting = False
        self.slept_s: list[tuple[float, bool]] = []
        self.worker = Worker(
            self.serving.reading,
            self.serving,
            open_model=self.open,
            costs=Costs(shadow_threads=1),
            budget=CpuBudget(cpu_share, clock=time.monotonic, cpu_clock=lambda: self.cpu_s),
            clock=time.monotonic,
            sleep=self.sleep,
            resting=self.rest,
        )

    def open(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        made = dataclasses.replace(profile(ROWS.astype(float)), inputs=Side.inputs, output="p")
        return self.models.setdefault(candidate.name, Side()), made

    def sleep(self, seconds: float) -> None:
        self.slept_s.append((seconds, self.resting))
        time.sleep(seconds)

    @contextmanager
    def rest(self) -> Iterator[None]:
        self.resting = True
        yield
        self.resting = False

    def desired(self, *endpoints: str, generation: int = 1) -> scoring_pb2.Instruction:
        wanted = []
        for name in endpoints:
            # A file that is touched is loaded again.
            if not (self.folder / name).exists():
                (self.folder / name).touch()
            candidate = {
                "name": name,
                "profile": self.folder / name,
                "onnx": {"path": self.folder / name, "batch": 16},
            }
            wanted.append(
                {"name": name, "incumbent": name, "candidates": [candidate], "ranking": {"every": EVERY_S}}
            )
        config = Config.model_validate({"endpoints": wanted}).model_dump_json()
        return scoring_pb2.Instruction(desired=scoring_pb2.Desired(generation=generation, config_json=config))

    def work(self) -> list[scoring_pb2.Report]:
        """Runs the worker until the serving process is gone; the reports that hold a ranking."""
        hanging = threading.Timer(PATIENCE_S, self.serving.end)
        hanging.start()
        try:
            self.worker.run()
        finally:
            os.close(self.serving.reading)
            hung = not hanging.is_alive()
            hanging.cancel()
        assert not hung
        return [report for report in self.serving.reports if report.endpoint]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def observations(endpoint: str, rows: Array) -> list[scoring_pb2.Instruction]:
    return [observation(endpoint, row) for row in rows]


def observation(endpoint: str, row: Array) -> scoring_pb2.Instruction:
    tensor = traffic_pb2.Tensor(name="x", datatype="FP32", shape=[1, len(row)], contents=row.tobytes())
    pushed = traffic_pb2.ObserveRequest(endpoint=endpoint, inputs=[tensor])
    return scoring_pb2.Instruction(observation=scoring_pb2.Observation(endpoint=endpoint, pushed=pushed))


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
