"""The endpoint of the scoring process with models and a clock that the test controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sidecar.core.ranking import State
from sidecar.core.tensors import Batch
from tests.support.scorer_stage import ROWS, Stage, named


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


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


def test_the_same_traffic_gives_the_same_ranking(tmp_path: Path) -> None:
    rankings = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        stage = Stage(tmp_path / name)
        stage.rank()
        stage.send(ROWS[:200])
        rankings.append(stage.rank())
    assert rankings[0] == rankings[1]


def test_the_configuration_picks_what_is_measured(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ranking={"measures": ["margin", "l2d"]})
    stage.send(ROWS[:60])
    ranking = stage.rank()
    assert ranking is not None
    for one in ranking.candidates:
        assert [value.name for value in one.measures] == ["margin", "l2d"]
