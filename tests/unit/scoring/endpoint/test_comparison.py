"""Which candidates can be compared, and why the others cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sidecar.core.ranking import State
from tests.support.made_evidence import profile
from tests.support.scorer_stage import ROWS, Stage, named, replaced


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_live_logits_where_the_profile_knows_probabilities_say_so(stage: Stage) -> None:
    stage.send(ROWS[:60], {"p": np.array([-1.0, 3.0])})
    ranking = stage.rank()
    assert ranking is not None
    assert named(ranking)["a"] is State.UNAVAILABLE
    assert "no distribution at item 0" in next(one.reason for one in ranking.candidates if one.name == "a")


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


def test_a_profile_of_another_width_is_a_state(stage: Stage) -> None:
    stage.profiles["c"] = profile(np.random.default_rng(3).normal(size=(200, 3)))
    stage.send(ROWS[:150])
    ranking = stage.rank()
    assert named(ranking)["c"] is State.UNAVAILABLE
    assert ranking is not None
    assert "2 features and the profile 3" in ranking.candidates[-1].reason


def test_logits_leave_their_energies_for_the_measures(stage: Stage) -> None:
    stage.profiles["b"] = replaced(profile(ROWS.astype(float)), output_kind="logits")
    stage.send(ROWS[:60])
    stage.rank()
    names, evidence, _ = stage.scorer.evidence()
    found = dict(zip(names, evidence.energies, strict=True))
    assert found["a"] is None
    assert found["b"] == pytest.approx(np.full(60, np.log(np.exp(0.1) + np.exp(0.9))))
