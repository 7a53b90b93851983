"""A round that takes long is not taken for one that hangs; a process that hangs is ended and spoken of."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.config import load_config
from sidecar.config.schema import Candidate, Config
from sidecar.core.evidence import Evidence
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.estimation.measures import table
from sidecar.estimation.measures.needs import Need
from sidecar.scoring.cpu_budget import CpuBudget
from sidecar.scoring.runners.model import Model
from sidecar.scoring.worker import Worker
from sidecar.serving import link
from sidecar.serving.link import ScoringLink
from sidecar.wire.frames import LENGTH, frame
from tests.support.made_evidence import profile
from tests.support.running_sidecar import WAIT_S, configuration, write

ROWS = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
ITEMS = 60
# What one measure of one candidate takes here: six of them are longer than the longest silence.
SLOW_S = 50.0
SLOW_MEASURES = ("confidence", "entropy", "margin", "mano")


class Sure:
    """Says which side of a threshold the first feature lies on."""

    inputs = (TensorSpec("x", "FP32", (2,)),)

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        second = 0.1 + 0.8 * (inputs["x"][:, 0] > self.threshold)
        return {"p": np.stack([1 - second, second], axis=1)}

    def close(self) -> None:
        """Has nothing to let go."""


def opened(candidate: Candidate) -> tuple[Model, SourceProfile]:
    made = dataclasses.replace(profile(ROWS.astype(float)), inputs=Sure.inputs, output="p")
    return Sure({"a": 0.0, "b": 0.2}[candidate.name]), made


class Heard(io.BytesIO):
    """The serving process's end: keeps every report with the time on the worker's clock."""

    def __init__(self, clock: Callable[[], float], ended: Callable[[scoring_pb2.Report], None]) -> None:
        super().__init__()
        self.clock = clock
        self.ended = ended
        self.reports: list[tuple[float, scoring_pb2.Report]] = []

    def write(self, message: object) -> int:
        assert isinstance(message, bytes)
        report = scoring_pb2.Report.FromString(message[LENGTH.size :])
        self.reports.append((self.clock(), report))
        self.ended(report)
        return len(message)


def slow(
    compute: Callable[[Evidence], tuple[Estimate | str, ...]], passes: Callable[[float], None]
) -> object:
    def measured(evidence: Evidence) -> tuple[Estimate | str, ...]:
        passes(SLOW_S)
        return compute(evidence)

    return measured


def test_a_round_of_many_minutes_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [0.0]

    def passes(seconds: float) -> None:
        now[0] += seconds

    for name in SLOW_MEASURES:
        measure = table.find_measure(name)
        assert Need.PROBABILITIES in measure.requires
        changed = dataclasses.replace(measure, compute=slow(measure.compute, passes))  # type: ignore[arg-type]
        monkeypatch.setitem(table._BY_NAME, name, changed)
    reading, writing = os.pipe()

    def ended(report: scoring_pb2.Report) -> None:
        if report.ranking.items == ITEMS:
            os.close(writing)

    heard = Heard(lambda: now[0], ended)
    worker = Worker(
        reading,
        heard,
        open_model=opened,
        costs=Costs(shadow_threads=1),
        budget=CpuBudget(1.0, clock=lambda: now[0], cpu_clock=lambda: 0.0),
        clock=lambda: now[0],
        sleep=passes,
        resting=nullcontext,
    )
    os.write(writing, desired(tmp_path) + b"".join(frame(pushed(row)) for row in ROWS[:ITEMS]))
    worker.run()
    os.close(reading)
    times = [at for at, _ in heard.reports]
    assert times[-1] >= len(SLOW_MEASURES) * 2 * SLOW_S > link._SILENCE_S
    assert max(np.diff([0.0, *times])) < link._SILENCE_S
    assert [report.ranking.items for _, report in heard.reports if report.endpoint][-1] == ITEMS
    assert any(report.under_way == "e" for _, report in heard.reports)


def desired(folder: Path) -> bytes:
    for name in ("a", "b"):
        (folder / name).touch()
    candidates = [
        {"name": name, "profile": folder / name, "onnx": {"path": folder / name}} for name in ("a", "b")
    ]
    config = Config.model_validate({"endpoints": [{"name": "e", "incumbent": "a", "candidates": candidates}]})
    told = scoring_pb2.Desired(generation=1, config_json=config.model_dump_json())
    return frame(scoring_pb2.Instruction(desired=told).SerializeToString())


def pushed(row: Array) -> bytes:
    tensor = traffic_pb2.Tensor(name="x", datatype="FP32", shape=[1, 2], contents=row.tobytes())
    item = traffic_pb2.ObserveRequest(endpoint="e", inputs=[tensor])
    return scoring_pb2.Instruction(
        observation=scoring_pb2.Observation(endpoint="e", pushed=item)
    ).SerializeToString()


def test_a_process_that_hangs_is_ended_and_the_reason_is_kept(tmp_path: Path) -> None:
    async def play() -> str:
        config = load_config(write(tmp_path, configuration()))
        back = asyncio.Event()

        def hear(_: scoring_pb2.Report) -> None:
            if scoring.lost:
                back.set()
            elif scoring.process_id is not None:
                os.kill(scoring.process_id, signal.SIGSTOP)

        scoring = ScoringLink(config, hear, silence_s=0.5)
        scoring.desire(config)
        await scoring.start()
        try:
            await asyncio.wait_for(back.wait(), WAIT_S)
        finally:
            await scoring.close()
        return scoring.lost

    assert "gave no sign of life for 0.5 s" in asyncio.run(play())
