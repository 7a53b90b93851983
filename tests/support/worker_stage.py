"""A worker between two pipes, with models, a budget and a CPU clock that the test controls."""

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
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import traffic_pb2

from sidecar.config.schema import Candidate, Config
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring.cpu_budget import CpuBudget
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


def observations(endpoint: str, rows: Array) -> list[scoring_pb2.Instruction]:
    return [observation(endpoint, row) for row in rows]


def observation(endpoint: str, row: Array) -> scoring_pb2.Instruction:
    tensor = traffic_pb2.Tensor(name="x", datatype="FP32", shape=[1, len(row)], contents=row.tobytes())
    pushed = traffic_pb2.ObserveRequest(endpoint=endpoint, inputs=[tensor])
    return scoring_pb2.Instruction(observation=scoring_pb2.Observation(endpoint=endpoint, pushed=pushed))
