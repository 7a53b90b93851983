"""The evidence for a recommendation goes on from round to round, or is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.ranking import Recommended
from sidecar.scoring.endpoint.window import Window
from tests.support.scorer_stage import ROWS, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


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
