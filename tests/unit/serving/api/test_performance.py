"""PerformanceService with a real model file, a board that the test fills, and no server."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import performance_pb2, ranking_pb2

from sidecar.config.schema import Endpoint
from sidecar.core.errors import InvalidError, NotFoundError
from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Option, Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.formats.performance_model import write_models
from sidecar.serving.api.performance import PerformanceService
from sidecar.serving.board.board import Board

SPACE = Space(
    (
        ONNX["intra_op_threads"].option("intra_op_threads", [1, 2], None),
        ONNX["batch_size"].option("batch_size", [1, 2, 4, 8, 16], None),
        ONNX["memory_arena"].option("memory_arena", [False, True], None),
    )
)
METRICS = ("latency_p50_s", "latency_p99_s", "throughput_per_s", "memory_bytes")


def table(space: Space = SPACE, **environment: str) -> PerformanceTable:
    """Latency grows with the batch and falls with threads; a few per cent of noise."""
    rng = np.random.default_rng(0)
    codes = space.every()
    threads, batch = codes[:, 0], codes[:, 1]
    noise = np.exp(rng.normal(0, 0.03, (3, len(codes))))
    latency = 1e-3 * (1 + batch / threads) * noise[0]
    metrics = {
        "latency_p50_s": latency,
        "latency_p99_s": 2 * latency * noise[1],
        "throughput_per_s": batch / latency,
        "memory_bytes": 1e7 * (1 + batch / 10) * noise[2],
    }
    return PerformanceTable(space, environment, codes, metrics)


def written(path: Path, measured: PerformanceTable) -> Path:
    write_models({name: fit([], measured, name, strategy="scratch_gp") for name in METRICS}, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(
        tmp_path_factory.mktemp("models") / "m.safetensors", table(hardware="test", spinning="false")
    )


class Stage:
    """One endpoint with a candidate that has a model and one that has none."""

    def __init__(self, path: Path, **configuration: Any) -> None:  # noqa: ANN401 - YAML
        files = {"profile": "p", "onnx": {"path": "m.onnx"}}
        known = {"name": "a", **files, "performance": {"model": path, "configuration": configuration}}
        self.settings = Endpoint.model_validate(
            {"name": "e", "incumbent": "a", "candidates": [known, {"name": "b", **files}]}
        )
        self.board = Board(lambda: 0.0, lambda _: 0)
        self.board.configure([self.settings])
        self.service = PerformanceService(self, self.board, shadow_threads=1)

    def endpoint(self, name: str) -> Endpoint:
        if name != "e":
            raise NotFoundError(name)
        return self.settings

    def timed(self, seconds: float, *, batch_size: int = 8, runs: int = 40) -> None:
        timing = scoring_pb2.ShadowTiming(
            batch_size=batch_size, runs=runs, lower_quartile_s=seconds, median_s=seconds * 1.05
        )
        counters = scoring_pb2.ScoringCounters(shadow_timings={"a": timing})
        self.board.hear(scoring_pb2.Report(endpoint="e", counters=counters))

    def ask(self, candidate: str = "a", **options: Any) -> performance_pb2.PredictResponse:  # noqa: ANN401 - any option
        made = {}
        for name, value in options.items():
            kind = {bool: "flag", str: "text"}.get(type(value), "number")
            made[name] = performance_pb2.OptionValue(**{kind: value})
        request = performance_pb2.PredictRequest(endpoint="e", candidate=candidate, configuration=made)
        context: Any = None
        return asyncio.run(self.service.predict(request, context))

    def objectives(self, **options: Any) -> dict[str, performance_pb2.PredictedObjective]:  # noqa: ANN401 - any option
        return {one.name: one for one in self.ask(**options).objectives}


def width(objective: performance_pb2.PredictedObjective) -> float:
    return math.log(objective.value.high / objective.value.low)


def test_every_metric_is_predicted_with_its_interval_and_its_place(model: Path) -> None:
    answer = Stage(model).ask(batch_size=4, intra_op_threads=2)
    assert answer.state == ranking_pb2.STATE_OK
    assert {one.name for one in answer.objectives} == set(METRICS)
    latency = next(one for one in answer.objectives if one.name == "latency_p50_s")
    assert latency.value.value == pytest.approx(3e-3, rel=0.15)
    assert latency.value.low < latency.value.value < latency.value.high
    assert latency.value.level == 0.9
    assert latency.shadow_runs == 0
    assert answer.environment == {"hardware": "test", "spinning": "false"}
    assert answer.configuration["batch_size"].number == 4
    assert answer.configuration["memory_arena"].flag is True


def test_the_request_comes_before_the_configuration_and_that_before_the_defaults(model: Path) -> None:
    stage = Stage(model, batch_size=16, memory_arena=False)
    answer = stage.ask(batch_size=2)
    assert answer.configuration["batch_size"].number == 2
    assert answer.configuration["memory_arena"].flag is False
    assert answer.configuration["intra_op_threads"].number == 1


def test_a_candidate_without_a_readable_model_says_why(model: Path, tmp_path: Path) -> None:
    assert "`performance`" in Stage(model).ask("b").reason
    gone = Stage(tmp_path / "gone.safetensors").ask()
    assert gone.state == ranking_pb2.STATE_UNAVAILABLE
    assert "gone.safetensors" in gone.reason
    assert not gone.objectives


def test_what_the_caller_got_wrong_is_said(model: Path) -> None:
    with pytest.raises(NotFoundError, match="no candidate 'c'"):
        Stage(model).ask("c")
    with pytest.raises(InvalidError, match="no option 'batch'"):
        Stage(model).ask(batch=1)
    with pytest.raises(InvalidError, match="from 1 to 16"):
        Stage(model).ask(batch_size=64)
    with pytest.raises(InvalidError, match="set text, number or flag"):
        asyncio.run(
            Stage(model).service.predict(
                performance_pb2.PredictRequest(
                    endpoint="e", candidate="a", configuration={"batch_size": performance_pb2.OptionValue()}
                ),
                None,  # type: ignore[arg-type] # it is not looked at
            )
        )


def test_slow_shadow_runs_raise_times_lower_throughput_and_leave_memory(model: Path) -> None:
    stage = Stage(model, memory_arena=False)
    before = stage.objectives(batch_size=8)
    # The model says 9 ms for a batch of 8 in one thread.
    stage.timed(0.018)
    after = stage.objectives(batch_size=8)
    assert before["latency_p50_s"].value.value < after["latency_p50_s"].value.value < 0.018
    assert after["latency_p99_s"].value.value > before["latency_p99_s"].value.value
    assert after["throughput_per_s"].value.value < before["throughput_per_s"].value.value
    assert after["memory_bytes"] == before["memory_bytes"]
    assert {name: one.shadow_runs for name, one in after.items() if one.shadow_runs} == {
        "latency_p50_s": 40,
        "latency_p99_s": 40,
        "throughput_per_s": 40,
    }
    assert width(after["latency_p50_s"]) < width(before["latency_p50_s"])
    assert width(after["latency_p99_s"]) == pytest.approx(width(before["latency_p99_s"]))


def test_a_shadow_timing_is_not_taken_for_the_serving_time(model: Path) -> None:
    stage = Stage(model)
    plain = stage.objectives(batch_size=1)["latency_p50_s"].value.value
    # As the model has it for the shadow's batch of 8, and far from the batch of 1 that is asked for.
    stage.timed(0.009)
    assert stage.objectives(batch_size=1)["latency_p50_s"].value.value == pytest.approx(plain, rel=0.05)


def test_a_shadow_configuration_that_the_model_does_not_know_changes_nothing(
    model: Path, tmp_path: Path
) -> None:
    stage = Stage(model)
    before = stage.objectives()
    stage.timed(1.0, batch_size=32)
    assert stage.objectives() == before

    # The shadow does not spin; a model of servers that do has nothing to compare it with.
    for number, environment in enumerate(({"spinning": "true"}, {"hardware": "spins by default"})):
        other = Stage(written(tmp_path / f"{number}.safetensors", table(SPACE, **environment)))
        before = other.objectives()
        other.timed(1.0)
        assert other.objectives() == before


def test_a_model_file_that_changes_is_read_again(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    stage = Stage(path)
    assert stage.ask().state == ranking_pb2.STATE_UNAVAILABLE
    path.write_bytes(model.read_bytes())
    assert stage.ask().state == ranking_pb2.STATE_OK


def test_options_of_one_value_are_no_obstacle(tmp_path: Path) -> None:
    space = Space((*SPACE.options, Option("provider", SPACE.options[2].kind, ("cpu",), "cpu")))
    assert Stage(written(tmp_path / "m.safetensors", table(space))).ask().state == ranking_pb2.STATE_OK
