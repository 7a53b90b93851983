"""The endpoint of the scoring process with models and a clock that the test controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sidecar.config.schema import Candidate, Endpoint
from sidecar.core.errors import InvalidError
from sidecar.core.profile import SourceProfile
from sidecar.core.ranking import Ranking, Recommended, Segment, State
from sidecar.core.tensors import Array, Batch, TensorSpec
from sidecar.costs.candidate import Costs
from sidecar.scoring.endpoint.scorer import EndpointScorer, Round
from sidecar.scoring.endpoint.window import Window
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
        return self.models[candidate.name], _replaced(made, **spec)

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


def test_a_file_is_answered_and_ranked_at_once(stage: Stage) -> None:
    stage.send(ROWS[:50])
    stage.scorer.load()
    stage.scorer.catch_up()
    names, evidence, unavailable = stage.scorer.evidence()
    assert names == ("a", "b", "c")
    assert evidence.votes.shape == (3, 50)
    assert not unavailable
    assert stage.scorer.rank().ranking.items == 50


def held(stage: Stage) -> list[dict[str, int]]:
    """How many items every candidate's bins hold, by segment; those of all items have an empty name."""
    found = []
    for candidate in stage.scorer.candidates:
        assert candidate.loaded is not None
        bins = {"": candidate.loaded.binning.target, **candidate.loaded.binning.segments}
        found.append({name: target.statistics().items for name, target in bins.items()})
    return found


def test_a_query_evicts_nothing_because_what_leaves_the_window_leaves_everything(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"tensor": "site"}, ranking={"min_items": 20}, window={"items": 100})
    stage.send_from(["a", "b"] * 50, ROWS[:100])
    stage.rank()
    assert held(stage) == [{"": 100, "a": 50, "b": 50}] * 3
    # No candidate is given these items, so only their arrival can make room for them.
    stage.scorer.keep(Batch({"x": ROWS[:100]}, {}), ["c"] * 100)
    assert held(stage) == [{"": 0}] * 3
    stage.scorer.evidence()
    assert held(stage) == [{"": 0}] * 3
    assert not stage.scorer._items.names
    stage.scorer.rank()
    assert stage.scorer._items.names == ("c",)


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


def test_live_answers_in_half_precision_are_probabilities_too(stage: Stage) -> None:
    # As BF16 rounds them: they sum to 1.0117.
    stage.send(ROWS[:60], {"p": np.array([0.33398438, 0.67773438], dtype=np.float32)})
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 60
    answered = stage.scorer.candidates[0].loaded
    assert answered is not None
    np.testing.assert_allclose(answered.answers.of(np.arange(60))[:, 1], 0.67, atol=0.005)


def test_live_logits_where_the_profile_knows_probabilities_say_so(stage: Stage) -> None:
    stage.send(ROWS[:60], {"p": np.array([-1.0, 3.0])})
    ranking = stage.rank()
    assert ranking is not None
    assert named(ranking)["a"] is State.UNAVAILABLE
    assert "no distribution at item 0" in next(one.reason for one in ranking.candidates if one.name == "a")


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


def test_models_without_classes_are_ranked_by_their_inputs_and_never_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"tensor": "site"}, ranking={"min_items": 20})
    stage.profiles = dict.fromkeys("abc", profile(ROWS.astype(float), ()))
    stage.send_from(["here", "there"] * 50, ROWS[:100])
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 100
    assert [one.rank for one in ranking.candidates] == [1, 1, 1]
    assert "gives no classes" in ranking.reason
    assert [one.ranking.items for one in ranking.segments] == [50, 50]
    assert [model.items for model in stage.models.values()] == [0, 0, 0]
    assert [(one.items, one.answers_seen, one.failures) for one in stage.scorer.candidates] == [(0, 0, 0)] * 3


def test_a_model_without_classes_beside_an_incumbent_with_them_is_said(stage: Stage) -> None:
    stage.profiles["c"] = profile(ROWS.astype(float), ())
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert ranking is not None
    assert [one.name for one in ranking.candidates if one.state is State.UNAVAILABLE] == ["c"]
    assert ranking.candidates[-1].reason.startswith("it gives no classes, but a gives some: build both")
    _, evidence, _ = stage.scorer.evidence()
    assert evidence.labels == ("a", "b")


def test_classes_beside_an_incumbent_without_them_are_said(stage: Stage) -> None:
    stage.profiles["a"] = profile(ROWS.astype(float), ())
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert ranking is not None
    assert named(ranking) == {
        "a": State.INSUFFICIENT_DATA,
        "b": State.UNAVAILABLE,
        "c": State.UNAVAILABLE,
    }
    assert ranking.candidates[-1].reason.startswith("it gives classes, but a gives none: build both")


def test_without_the_incumbent_the_first_candidate_says_what_is_compared(stage: Stage) -> None:
    stage.faults["a"] = "broken"
    stage.profiles["c"] = profile(ROWS.astype(float), ())
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert ranking is not None
    reasons = {one.name: one.reason for one in ranking.candidates if one.state is State.UNAVAILABLE}
    assert reasons["a"] == "broken"
    assert reasons["c"].startswith("it gives no classes, but b gives some")


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


def test_logits_leave_their_energies_for_the_measures(stage: Stage) -> None:
    stage.profiles["b"] = _replaced(profile(ROWS.astype(float)), output_kind="logits")
    stage.send(ROWS[:60])
    stage.rank()
    names, evidence, _ = stage.scorer.evidence()
    found = dict(zip(names, evidence.energies, strict=True))
    assert found["a"] is None
    assert found["b"] == pytest.approx(np.full(60, np.log(np.exp(0.1) + np.exp(0.9))))


def test_the_configuration_picks_what_is_measured(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ranking={"measures": ["margin", "l2d"]})
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert ranking is not None
    for one in ranking.candidates:
        assert [value.name for value in one.measures] == ["margin", "l2d"]


def segments(ranking: Ranking | None) -> dict[str, Segment]:
    assert ranking is not None
    return {one.name: one for one in ranking.segments}


def measured(ranking: Ranking) -> dict[tuple[str, str], float | None]:
    return {
        (one.name, value.name): value.estimate.value if value.estimate else None
        for one in ranking.candidates
        for value in one.measures
    }


def test_a_tensor_splits_the_window_and_each_segment_is_measured_by_its_own_items(tmp_path: Path) -> None:
    by = {"measures": ["jsd", "l2d", "feature_coverage", "margin"]}
    stage = Stage(tmp_path, segments={"tensor": "site"}, ranking=by)
    rows = np.where(np.arange(400)[:, None] % 4 == 0, ROWS + 3, ROWS).astype(np.float32)
    sites = ["south" if item % 4 == 0 else "north" for item in range(400)]
    stage.send_from(sites, rows)
    ranking = stage.rank()
    assert ranking is not None
    found = segments(ranking)
    assert [(name, one.share, one.rule) for name, one in found.items()] == [
        ("north", 0.75, "tensor site = north"),
        ("south", 0.25, "tensor site = south"),
    ]
    for site, one in found.items():
        held = np.array(sites) == site
        np.testing.assert_array_equal(one.items, held)
        alone = Stage(tmp_path, ranking=by)
        alone.send(rows[held])
        expected = alone.rank()
        assert expected is not None
        assert one.ranking.items == held.sum()
        assert measured(one.ranking) == pytest.approx(measured(expected))
    assert ranking.items == 400


def test_named_segments_stay_and_what_has_no_place_is_other(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path, segments={"tensor": "site", "max": 2}, ranking={"min_items": 20}, window={"items": 200}
    )
    stage.send_from(["a", "b"] * 30 + ["c"] * 10, ROWS[:70])
    assert {name: one.ranking.items for name, one in segments(stage.rank()).items()} == {
        "a": 30,
        "b": 30,
        "other": 10,
    }
    stage.send_from(["c"] * 80, ROWS[:80])
    found = segments(stage.rank())
    assert {name: one.ranking.items for name, one in found.items()} == {"other": 90, "a": 30, "b": 30}
    assert found["other"].rule == "tensor site: any other value, or none"
    for _ in range(2):
        stage.send_from(["c", "b"] * 30, ROWS[:60])
        found = segments(stage.rank())
    assert set(found) == {"b", "c"}
    loaded = stage.scorer.candidates[0].loaded
    assert loaded is not None
    assert "a" not in loaded.binning.segments


def test_a_segment_of_few_items_says_so_and_the_others_are_ranked(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"tensor": "site"})
    stage.send_from(["a"] * 100 + ["b"] * 20, ROWS[:120])
    found = segments(stage.rank())
    assert found["other"].ranking.state is State.INSUFFICIENT_DATA
    assert found["a"].ranking.state is not State.INSUFFICIENT_DATA
    assert not any(one.accuracy for one in found["other"].ranking.candidates)


def test_metadata_splits_the_window(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"metadata": "x-region"})
    for start, region in enumerate((b"eu", b"us", b"", b"z" * 1000)):
        stage.send(ROWS[start * 60 : start * 60 + 60], segment=region)
    found = segments(stage.rank())
    assert set(found) == {"eu", "us", "z" * 64, "other"}
    assert found["eu"].rule == "metadata x-region = eu"


def test_inputs_split_the_window_and_names_last(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"inputs": True})
    apart = ROWS + np.where(np.arange(400) % 2 == 0, -6, 6)[:, None].astype(np.float32)
    stage.send(apart[:200], segment=b"what came with it means nothing")
    assert segments(stage.rank()) == {}
    stage.send(apart[200:])
    first = segments(stage.rank())
    assert set(first) == {"inputs-1", "inputs-2"}
    assert {one.rule for one in first.values()} == {"inputs: nearest of 2 centres"}
    for one in first.values():
        assert len(set(np.flatnonzero(one.items) % 2)) == 1
    stage.send(apart[:100])
    second = segments(stage.rank())
    for name, one in second.items():
        np.testing.assert_array_equal(one.items[:400], first[name].items)


def test_a_window_that_is_split_otherwise_starts_anew(tmp_path: Path) -> None:
    stage = Stage(tmp_path, segments={"tensor": "site"})
    stage.send_from(["a"] * 60, ROWS[:60])
    assert set(segments(stage.rank())) == {"a"}
    stage.settings = {"segments": {"metadata": "x-region"}}
    stage.scorer.configure(stage.endpoint("a", "b", "c"))
    stage.send(ROWS[:60], segment=b"eu")
    ranking = stage.rank()
    assert ranking is not None
    assert ranking.items == 60
    assert set(segments(ranking)) == {"eu"}


def recommended(stage: Stage) -> Recommended:
    made = stage.round()
    assert made is not None
    assert made.recommended is not None
    return made.recommended


@pytest.fixture
def challenged(stage: Stage) -> Stage:
    """The incumbent agrees with the others less than they do with each other."""
    stage.models["a"].threshold = 0.3
    stage.models["b"].threshold = 0.0
    stage.models["c"].threshold = -0.02
    return stage


def test_evidence_goes_on_where_the_items_are_counted_from_0_again(challenged: Stage) -> None:
    challenged.send(ROWS[:60])
    gathered = recommended(challenged).evidence
    challenged.settings = {"window": {"items": 150}}
    challenged.scorer.configure(challenged.endpoint("a", "b", "c"))
    challenged.send(ROWS[60:180])
    found = recommended(challenged)
    assert found.candidate == "a"
    assert 0 < found.evidence != gathered > 0


@pytest.mark.parametrize(
    "ranking",
    [
        {"false_alarm": 0.01},
        {"objectives": ["accuracy", "energy_j"]},
        {"prefer": "lexicographic"},
        {"constraints": {"accuracy": 0.1}},
    ],
)
def test_what_was_gathered_under_another_preference_is_dropped(
    challenged: Stage, ranking: dict[str, object]
) -> None:
    challenged.send(ROWS[:60])
    gathered = recommended(challenged)
    assert (gathered.candidate, gathered.evidence > 0) == ("a", True)
    challenged.settings = {"ranking": {"every": 1.0}}
    challenged.scorer.configure(challenged.endpoint("a", "b", "c"))
    assert recommended(challenged).evidence == gathered.evidence
    challenged.settings = {"ranking": ranking}
    challenged.scorer.configure(challenged.endpoint("a", "b", "c"))
    # Fewer items than an estimate takes are left, so that nothing is gathered under the new one.
    challenged.scorer._items.window = Window(items=10, size_bytes=1 << 20)
    assert recommended(challenged).evidence == 0
