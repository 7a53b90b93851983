"""An endpoint with a candidate behind a server, played by models that answer when the test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sidecar.config.schema import Candidate, Endpoint
from sidecar.core.errors import PilotfishError, UnavailableError
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Ranking, State
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.runners.model import Model
from sidecar.scoring.runners.server_budget import ServerBudgets
from tests.support.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
INPUTS = (TensorSpec("x", "FP32", (2,)),)
BATCH = 16
DOWN = UnavailableError("nobody is there")
EVERY_S = 10.0


class Played:
    """Says b where the first feature is positive, once it may; can be told to fail."""

    inputs = INPUTS

    def __init__(self) -> None:
        self.fault: PilotfishError | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[float] = []
        self.closed = False

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        rows = inputs["x"]
        self.asked.append(float(rows[0, 0]))
        assert self.may_answer.wait(10)
        if self.fault:
            raise self.fault
        second = (rows[:, 0] > 0) * 0.8 + 0.1
        return {"p": np.stack([1 - second, second], axis=1)}

    def close(self) -> None:
        self.closed = True
        self.may_answer.set()


class Stage:
    """Two candidates here, one behind a server, and the time."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.folder = folder
        self.models = {name: Played() for name in ("a", "b", "far")}
        for name in self.models:
            (folder / name).touch()
        self.servers = ServerBudgets(lambda: self.now)
        self.scorer = EndpointScorer(
            self.endpoint("far"),
            servers=self.servers,
            open_model=self.open,
            costs=Costs(shadow_threads=1),
            clock=lambda: self.now,
        )

    @property
    def far(self) -> Played:
        return self.models["far"]

    def endpoint(self, *behind: str, window: int = 400, in_flight: int = 2) -> Endpoint:
        runs = {"onnx": {"path": self.folder / "a", "batch": BATCH}}
        served = {"v2": {"url": "nowhere:1", "model": "m", "batch": BATCH, "in_flight": in_flight}}
        candidates = [
            {"name": name, "profile": self.folder / name, **(served if name == "far" else runs)}
            for name in ("a", "b", *behind)
        ]
        return Endpoint.model_validate(
            {
                "name": "e",
                "incumbent": "a",
                "candidates": candidates,
                "window": {"items": window},
                "ranking": {"every": EVERY_S},
            }
        )

    def open(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        made = profile(ROWS.astype(float))
        object.__setattr__(made, "inputs", INPUTS)
        object.__setattr__(made, "output", "p")
        return self.models[candidate.name], made

    def send(self, rows: Array) -> None:
        for row in rows:
            self.scorer.observe(Batch({"x": row[None]}, {}))

    def work(self) -> Ranking | None:
        """Does what there is to do, until a round is made or nothing is left but to wait."""
        while True:
            made = self.scorer.round()
            if made is not None:
                return made.ranking
            if not self.scorer.step():
                # What was asked is answered in another thread, if it is answered at all.
                if not self.far.may_answer.is_set() or not self.scorer.under_way:
                    return None
                time.sleep(0.001)

    def rank(self) -> Ranking | None:
        """The next round, with what is answered when patience ends."""
        for _ in range(2):
            self.now += EVERY_S / 2
            ranking = self.work()
        if ranking is None and self.scorer.due_in():
            self.now += self.scorer.due_in()
            ranking = self.work()
        return ranking


def state(ranking: Ranking | None, name: str = "far") -> State:
    assert ranking is not None
    return next(one.state for one in ranking.candidates if one.name == name)


def reason(ranking: Ranking | None, name: str = "far") -> str:
    assert ranking is not None
    return next(one.reason for one in ranking.candidates if one.name == name)
