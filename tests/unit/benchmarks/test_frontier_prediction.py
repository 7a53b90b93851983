from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.frontier.prediction import Judged, brier, calibration, judge
from benchmarks.frontier.tables import Published, read_published
from sidecar.core.tensors import Floats

MODELS = 60


def published(noise: float, seed: int = 0) -> Published:
    """Models whose accuracy and rate trade off; each set and machine errs by `noise`."""
    rng = np.random.default_rng(seed)
    skill = rng.uniform(-1, 1, MODELS)
    rate = -skill + rng.normal(0, 0.3, MODELS)

    def seen(truth: Floats) -> Floats:
        return np.asarray(truth + rng.normal(0, noise, MODELS))

    return Published(
        names=tuple(f"m{number}@224" for number in range(MODELS)),
        parameters=np.exp(rng.normal(0, 1, MODELS)),
        accuracy={name: 1 / (1 + np.exp(-seen(skill))) for name in "abcd"},
        items=dict.fromkeys("abcd", 10**9),
        throughput={machine: {f"{machine}-1": np.exp(3 * seen(rate))} for machine in ("x", "y", "z")},
        notes=(),
    )


@pytest.mark.parametrize("parameters", [False, True])
def test_every_pair_is_held_out_once_and_foretold_by_probabilities(parameters: bool) -> None:  # noqa: FBT001 - a case
    judged = list(judge(published(0.2), parameters=parameters, rng=np.random.default_rng(0)))
    assert [(one.test_set, one.machine) for one in judged] == [(s, m) for s in "abcd" for m in "xyz"]
    for one in judged:
        assert one.truth.any()
        assert all(((p >= 0) & (p <= 1)).all() for p in one.predicted.values())
    assert brier(judged, "random") < brier(judged, "deterministic")
    assert sum(count for _, _, count in calibration(judged, "random")) == len(judged) * MODELS


def test_where_nothing_varies_both_foretell_all() -> None:
    judged = list(judge(published(0.0), parameters=False, rng=np.random.default_rng(0)))
    assert brier(judged, "deterministic") == 0
    assert brier(judged, "random") < 0.01


def test_too_few_machines_give_no_judgement() -> None:
    few = published(0.1)
    one = Published(few.names, few.parameters, few.accuracy, few.items, {"x": few.throughput["x"]}, ())
    assert not list(judge(one, parameters=False, rng=np.random.default_rng(0)))


def test_the_score_and_the_bins_are_counted_by_hand() -> None:
    truth = np.array([True, False, False])
    judged = [Judged("s", "m", "f", truth, {"random": np.array([0.9, 0.3, 0.31])})]
    assert brier(judged, "random") == pytest.approx((0.01 + 0.09 + 0.31**2) / 3)
    low, high = calibration(judged, "random")
    assert low == pytest.approx((0.305, 0.0, 2))
    assert high == pytest.approx((0.9, 1.0, 1))


def test_tables_are_joined_by_architecture_and_image_size(tmp_path: Path) -> None:
    rows = {"model": ["a.x", "a.y", "b.x", "c"], "img_size": [224, 224, 224, 160]}
    for name in ("imagenet", "other"):
        table = {**rows, "top1": [80.0, 70.0, 60.0, 50.0], "param_count": ["1,013.01", "2", "3", "4"]}
        pq.write_table(pa.table(table), tmp_path / f"results-{name}.parquet")
    for name, rate in (("v1-rtx4090", [9.0, None]), ("v2-4090-dynamo", [8.0, 7.0])):
        table = {"model": ["a", "b.z"], "infer_img_size": [224, 224], "infer_samples_per_sec": rate}
        pq.write_table(pa.table(table), tmp_path / f"benchmark-infer-{name}.parquet")
    found = read_published(tmp_path)
    assert found is not None
    assert found.names == ("a.x@224", "a.y@224", "b.x@224")
    assert found.parameters.tolist() == [1013.01, 2, 3]
    assert found.accuracy["imagenet"].tolist() == pytest.approx([0.8, 0.7, 0.6])
    assert list(found.throughput) == ["4090"]
    np.testing.assert_array_equal(found.throughput["4090"]["v1-rtx4090"], [9, 9, np.nan])
    assert (found.items["imagenet"], found.items["other"]) == (50_000, 10_000)
    assert "results-other.parquet" in found.notes[0]


def test_no_tables_are_nothing(tmp_path: Path) -> None:
    assert read_published(tmp_path) is None
