"""How the window is split into segments, from requests to rankings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sidecar.core.ranking import Ranking, Segment, State
from tests.support.scorer_stage import ROWS, Stage


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
