"""The endpoint of the scoring process with models and a clock that the test controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sidecar.config.schema import Candidate, Endpoint
from sidecar.domain.errors import InvalidError
from sidecar.domain.profile import SourceProfile
from sidecar.domain.ranking import Ranking, State
from sidecar.domain.tensors import Array, Batch, TensorSpec
from sidecar.scoring.candidate import Model
from sidecar.scoring.endpoint import EndpointScorer
from tests.unit.measures.made_evidence import profile

ROWS = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)


class Threshold:
    """Says b where the first feature is above a threshold; can be told to fail."""

    inputs = (TensorSpec("x", "FP32", (2,)),)
    sha256 = ""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.items = 0
        self.largest = 0
        self.fault = ""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if self.fault:
            raise InvalidError(self.fault)
        rows = inputs["x"]
        self.items += len(rows)
        self.largest = max(self.largest, len(rows))
        second = (rows[:, 0] > self.threshold).astype(float) * 0.8 + 0.1
        return {"p": np.stack([1 - second, second], axis=1)}


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
            self.endpoint("a", "b", "c"), open_model=self.open, clock=lambda: self.now
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
        return self.models[candidate.name], _replaced(made, **spec)

    def send(self, rows: Array, outputs: dict[str, Array] | None = None) -> None:
        for row in rows:
            self.scorer.observe(Batch({"x": row[None]}, {k: v[None] for k, v in (outputs or {}).items()}))

    def rank(self) -> Ranking | None:
        self.now += 10
        for _ in range(1000):
            made = self.scorer.round()
            if made is not None:
                return made.ranking
            if not self.scorer.step():
                made = self.scorer.round()
                return made.ranking if made else None
        raise AssertionError("never done")


def _replaced(made: SourceProfile, **changes: object) -> SourceProfile:
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def named(ranking: Ranking | None) -> dict[str, State]:
    assert ranking is not None
    return {one.name: one.state for one in ranking.candidates}


def test_every_item_is_answered_once_by_everyone_in_batches(stage: Stage) -> None:
    stage.rank()
    stage.send(ROWS[:100])
    first = stage.rank()
    assert first is not None
    assert first.items == 100
    stage.send(ROWS[100:150])
    second = stage.rank()
    assert second is not None
    assert second.items == 150
    assert [model.items for model in stage.models.values()] == [150, 150, 150]
    assert max(model.largest for model in stage.models.values()) == 16


def test_a_whole_batch_does_not_wait_for_the_round(stage: Stage) -> None:
    stage.rank()
    stage.send(ROWS[:20])
    while stage.scorer.step():
        pass
    assert [model.items for model in stage.models.values()] == [16, 16, 16]


def test_nothing_new_makes_no_round(stage: Stage) -> None:
    assert stage.rank() is not None
    assert stage.rank() is None
    stage.send(ROWS[:1])
    assert stage.rank() is not None
    assert stage.rank() is None


def test_live_answers_of_the_incumbent_are_used_as_they_are(stage: Stage) -> None:
    stage.rank()
    stage.send(ROWS[:60], {"p": np.array([0.25, 0.75])})
    stage.send(ROWS[60:90])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 90
    assert stage.models["a"].items == 30
    assert stage.scorer.candidates[0].answers_seen == 60


def test_a_failing_candidate_is_left_out_and_comes_back(stage: Stage) -> None:
    stage.rank()
    stage.models["b"].fault = "out of memory"
    stage.send(ROWS[:100])
    ranking = stage.rank()
    assert named(ranking)["b"] is State.UNAVAILABLE
    assert ranking is not None
    assert ranking.items == 100
    assert next(one.reason for one in ranking.candidates if one.name == "b") == "out of memory"
    assert stage.scorer.candidates[1].failures == 100
    stage.models["b"].fault = ""
    stage.send(ROWS[100:300])
    ranking = stage.rank()
    assert named(ranking)["b"] is not State.UNAVAILABLE
    assert ranking is not None
    assert ranking.items == 200  # those that all three answered


def test_an_exception_of_any_kind_is_a_state(stage: Stage) -> None:
    stage.rank()
    stage.models["b"].run = lambda _: {}  # type: ignore[method-assign,assignment]
    stage.send(ROWS[:60])
    assert named(stage.rank())["b"] is State.UNAVAILABLE


def test_a_late_candidate_answers_what_the_window_holds(stage: Stage) -> None:
    stage.scorer.configure(stage.endpoint("a", "b"))
    stage.rank()
    stage.send(ROWS[:100])
    stage.rank()
    stage.scorer.configure(stage.endpoint("a", "b", "c"))
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 100
    assert [model.items for model in stage.models.values()] == [100, 100, 100]


def test_a_candidate_without_files_is_tried_again_when_they_change(stage: Stage) -> None:
    stage.faults["c"] = "broken"
    stage.send(ROWS[:60])
    assert named(stage.rank())["c"] is State.UNAVAILABLE
    stage.faults.clear()
    assert stage.rank() is None
    (stage.folder / "c").write_text("mended")
    assert named(stage.rank())["c"] is not State.UNAVAILABLE


def test_other_classes_are_said(stage: Stage) -> None:
    stage.profiles["c"] = profile(ROWS.astype(float), ("x", "y"))
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert named(ranking)["c"] is State.UNAVAILABLE
    assert ranking is not None
    assert "[x, y]" in ranking.candidates[-1].reason


def test_overlapping_classes_are_compared_by_name(stage: Stage) -> None:
    stage.profiles["c"] = profile(ROWS.astype(float), ("b", "c"))
    stage.send(ROWS[:60])
    assert named(stage.rank())["c"] is not State.UNAVAILABLE


def test_a_backlog_rejects_instead_of_growing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, window={"items": 40})
    stage.rank()
    stage.send(ROWS[:100])
    assert stage.scorer.rejected == {"cpu_budget": 79}
    assert len(stage.scorer.window) == 21
    assert stage.rank() is not None
    stage.send(ROWS[:10])
    assert stage.scorer.rejected == {"cpu_budget": 79}


def test_what_is_not_finite_is_rejected(stage: Stage) -> None:
    stage.send(np.array([[np.nan, 0], [0, np.inf]], dtype=np.float32))
    assert stage.scorer.rejected == {"not_finite": 2}


def test_a_changed_window_forgets_the_old_items(stage: Stage) -> None:
    stage.rank()
    stage.send(ROWS[:20])
    stage.rank()
    changed = stage.endpoint("a", "b", "c").model_copy(
        update={"window": stage.scorer.settings.window.model_copy(update={"items": 100})}
    )
    stage.scorer.configure(changed)
    stage.rank()
    stage.send(ROWS[200:205])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 5
    assert [model.items for model in stage.models.values()] == [25, 25, 25]


def test_a_profile_of_another_width_is_a_state(stage: Stage) -> None:
    stage.profiles["c"] = profile(np.random.default_rng(3).normal(size=(200, 3)))
    stage.send(ROWS[:150])
    ranking = stage.rank()
    assert named(ranking)["c"] is State.UNAVAILABLE
    assert ranking is not None
    assert "2 features and the profile 3" in ranking.candidates[-1].reason


def test_the_same_traffic_gives_the_same_ranking(tmp_path: Path) -> None:
    rankings = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        stage = Stage(tmp_path / name)
        stage.rank()
        stage.send(ROWS[:200])
        rankings.append(stage.rank())
    assert rankings[0] == rankings[1]
