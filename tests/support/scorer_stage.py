"""An endpoint of the scoring process with models and a clock that the test controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sidecar.config.schema import Candidate, Endpoint
from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Ranking, State
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring.endpoint.rounds import Round
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.runners.model import Model
from tests.support.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)


class Threshold:
    """Says b where the first feature is above a threshold; can be told to fail."""

    inputs = (TensorSpec("x", "FP32", (2,)),)

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.items = 0
        self.largest = 0
        self.fault = ""
        self.closed = False

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if self.fault:
            raise InvalidError(self.fault)
        rows = inputs["x"]
        self.items += len(rows)
        self.largest = max(self.largest, len(rows))
        second = (rows[:, 0] > self.threshold).astype(float) * 0.8 + 0.1
        return {"p": np.stack([1 - second, second], axis=1)}

    def close(self) -> None:
        self.closed = True


class Stage:
    """An endpoint, its models, and the time."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.now = 0.0
        self.models = {name: Threshold(place) for name, place in (("a", 0.0), ("b", 0.1), ("c", -0.1))}
        self.faults: dict[str, str] = {}
        self.profiles: dict[str, SourceProfile] = {}
        self.folder = folder
        for name in self.models:
            (folder / name).touch()
        self.settings = settings
        self.scorer = EndpointScorer(
            self.endpoint("a", "b", "c"),
            open_model=self.open,
            costs=Costs(shadow_threads=1),
            clock=lambda: self.now,
        )

    def endpoint(self, *names: str) -> Endpoint:
        candidates = [
            {"name": name, "profile": self.folder / name, "onnx": {"path": self.folder / name, "batch": 16}}
            for name in names
        ]
        return Endpoint.model_validate(
            {"name": "e", "incumbent": names[0], "candidates": candidates, **self.settings}
        )

    def open(self, candidate: Candidate) -> tuple[Model, SourceProfile]:
        if candidate.name in self.faults:
            raise InvalidError(self.faults[candidate.name])
        made = self.profiles.get(candidate.name) or profile(ROWS.astype(float))
        spec = {"inputs": Threshold.inputs, "output": "p"}
        return self.models[candidate.name], replaced(made, **spec)

    def send(self, rows: Array, outputs: dict[str, Array] | None = None, segment: bytes = b"") -> None:
        for row in rows:
            answered = {name: array[None] for name, array in (outputs or {}).items()}
            self.scorer.observe(Batch({"x": row[None]}, answered), segment)

    def send_from(self, sites: list[str], rows: Array) -> None:
        """One request an item, with a tensor that tells where it is from."""
        for site, row in zip(sites, rows, strict=True):
            told = np.array([[site.encode()]], dtype=object)
            self.scorer.observe(Batch({"x": row[None], "site": told}, {}))

    def rank(self) -> Ranking | None:
        made = self.round()
        return made.ranking if made else None

    def round(self) -> Round | None:
        self.now += 10
        for _ in range(1000):
            made = self.scorer.round()
            if made is not None:
                return made
            if not self.scorer.step():
                return self.scorer.round()
        raise AssertionError("never done")


def replaced(made: SourceProfile, **changes: object) -> SourceProfile:
    return replace(made, **changes)  # type: ignore[arg-type]


def named(ranking: Ranking | None) -> dict[str, State]:
    assert ranking is not None
    return {one.name: one.state for one in ranking.candidates}
