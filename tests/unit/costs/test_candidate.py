from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from pilotfish.internal.v1 import scoring_pb2

from sidecar.config.schema import V2, Candidate
from sidecar.core.errors import InvalidError
from sidecar.core.ranking import Estimate
from sidecar.costs import candidate as room
from sidecar.costs.candidate import Costs
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.formats.performance_model import read_models, write_models

SPACE = Space((ONNX["batch_size"].option("batch_size", list(range(1, 17)), None),))
UNTIMED = scoring_pb2.ShadowTiming()


def write(path: Path, scale: float = 1.0) -> Path:
    codes = SPACE.every()
    latency_s = scale * 1e-3 * (1 + codes[:, 0])
    metrics = {"latency_p50_s": latency_s, "memory_bytes": 1e7 + 1e5 * codes[:, 0]}
    measured = PerformanceTable(SPACE, {"hardware": "test", "spinning": "false"}, codes, metrics)
    write_models({name: fit([], measured, name, strategy="scratch_gp") for name in metrics}, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("costs") / "m.cost")


def candidate(model: Path | None, batch_size: int = 4, **objectives: Any) -> Candidate:  # noqa: ANN401 - YAML
    performance = {"model": model, "configuration": {"batch_size": batch_size}}
    return Candidate.model_validate(
        {
            "name": "a",
            "profile": "p",
            "onnx": {"path": "m.onnx"},
            "performance": performance if model else None,
            "objectives": objectives,
        }
    )


@pytest.fixture
def costs() -> Costs:
    return Costs(shadow_threads=1)


def test_without_a_model_only_what_is_declared_is_known(costs: Costs) -> None:
    assert costs.known(candidate(None), UNTIMED).objectives == {}
    known = costs.known(candidate(None, eur=3, energy_j={"value": 2, "low": 1, "high": 4}), UNTIMED)
    assert known.objectives == {"eur": Estimate(3.0, 3.0, 3.0), "energy_j": Estimate(2.0, 1.0, 4.0)}
    assert known.reason == ""


def test_what_is_declared_comes_before_what_is_predicted(costs: Costs, model: Path) -> None:
    known = costs.known(candidate(model, memory_bytes=7, eur=3), UNTIMED).objectives
    assert known["memory_bytes"] == Estimate(7.0, 7.0, 7.0)
    assert known["latency_p50_s"].value == pytest.approx(5e-3, rel=0.1)
    assert known.keys() == {"memory_bytes", "latency_p50_s", "eur"}


def test_what_is_declared_stands_whatever_shadow_runs_took(costs: Costs, model: Path) -> None:
    timing = scoring_pb2.ShadowTiming(batch_size=4, runs=50, lower_quartile_s=1.0, median_s=1.1)
    known = costs.known(candidate(model, latency_p50_s=0.5), timing).objectives
    assert known["latency_p50_s"] == Estimate(0.5, 0.5, 0.5)


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_a_model_that_cannot_be_read_is_a_reason_and_the_rest_is_known(
    costs: Costs, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "m.cost"
    if content is not None:
        path.write_bytes(content)
    known = costs.known(candidate(path, eur=3), UNTIMED)
    assert known.objectives == {"eur": Estimate(3.0, 3.0, 3.0)}
    assert known.reason.startswith("performance: ")
    assert str(path) in known.reason


def test_a_configuration_that_the_model_does_not_know_is_a_reason(costs: Costs, model: Path) -> None:
    odd = candidate(model)
    assert odd.performance is not None
    changed = odd.performance.model_copy(update={"configuration": {"batch": 8}})
    known = costs.known(odd.model_copy(update={"performance": changed}), UNTIMED)
    assert known.reason.startswith("performance: there is no option 'batch'")
    with pytest.raises(InvalidError, match="there is no option 'batch'"):
        costs.predicted(odd, changed, UNTIMED)


def test_a_model_that_is_replaced_is_read_again_and_one_that_is_gone_is_said(
    costs: Costs, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.cost")
    before = costs.known(candidate(path), UNTIMED).objectives["latency_p50_s"].value
    write(path, scale=10.0)
    after = costs.known(candidate(path), UNTIMED).objectives["latency_p50_s"].value
    assert after == pytest.approx(10 * before, rel=0.01)
    path.unlink()
    gone = costs.known(candidate(path), UNTIMED)
    assert gone.objectives == {}
    assert "there is no such model" in gone.reason
    write(path)
    assert costs.known(candidate(path), UNTIMED).reason == ""


def test_what_a_server_took_was_timed_with_the_way_there_and_moves_nothing(costs: Costs, model: Path) -> None:
    timing = scoring_pb2.ShadowTiming(batch_size=4, runs=50, lower_quartile_s=9.0, median_s=9.0)
    here = candidate(model)
    served = here.model_copy(update={"onnx": None, "v2": V2(url="h:1", model="m")})
    expected = costs.known(here, UNTIMED).objectives
    assert costs.known(served, timing).objectives == expected
    assert costs.known(served, UNTIMED).objectives == expected


def test_a_file_is_read_and_a_configuration_predicted_once(
    costs: Costs, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, predictions = Mock(wraps=read_models), Mock(wraps=room._estimate)
    monkeypatch.setattr("sidecar.formats.performance_model.read_models", reads)
    monkeypatch.setattr(room, "_estimate", predictions)
    first = costs.known(candidate(model), UNTIMED)
    for _ in range(5):
        assert costs.known(candidate(model), UNTIMED) == first
    assert (reads.call_count, predictions.call_count) == (1, 2)
    os.utime(model)
    assert costs.known(candidate(model), UNTIMED) == first
    assert (reads.call_count, predictions.call_count) == (2, 4)


def test_what_is_remembered_is_bounded(costs: Costs, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_REMEMBERED", 5)
    values = []
    for batch_size in range(1, 17):
        values.append(costs.known(candidate(model, batch_size), UNTIMED).objectives["latency_p50_s"].value)
        assert len(costs._read[model].said) <= 5
    assert np.all(np.diff(values) > 0)
