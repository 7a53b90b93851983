"""PerformanceService over a socket, with the timings of a real scoring process."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from pilotfish.v1 import performance_pb2, ranking_pb2

from sidecar.estimation.performance.fit import fit
from sidecar.estimation.performance.options import ONNX
from sidecar.estimation.performance.space import Space
from sidecar.estimation.performance.table import PerformanceTable
from sidecar.formats.performance_model import write_models
from sidecar.tools.cli.check import check
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    WAIT_S,
    RunningSidecar,
    candidate,
    configuration,
    running,
    write,
    write_profiles,
)

SPACE = Space((ONNX["batch_size"].option("batch_size", [1, 8, 32, 64], None),))
# As the scoring process runs its candidates, so that its timings can be compared.
ENVIRONMENT = {"hardware": "test", "memory_arena": "false", "spinning": "false", "intra_op_threads": "1"}


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Profiles, models, and what the model upright costs."""
    path = tmp_path_factory.mktemp("costs")
    write_profiles(digits_models, path)
    codes = SPACE.every()
    latency_s = 1e-5 * (4 + codes[:, 0])
    metrics = {
        "latency_p50_s": latency_s,
        "throughput_per_s": codes[:, 0] / latency_s,
        "memory_bytes": 1e7 + 1e5 * codes[:, 0],
    }
    measured = PerformanceTable(SPACE, ENVIRONMENT, codes, metrics)
    write_models({name: fit([], measured, name) for name in metrics}, path / "upright.cost")
    return path


def ask(sidecar: RunningSidecar, name: str, **numbers: float) -> performance_pb2.PredictResponse:
    options = {key: performance_pb2.OptionValue(number=value) for key, value in numbers.items()}
    request = performance_pb2.PredictRequest(endpoint=ENDPOINT, candidate=name, configuration=options)
    return sidecar.performance.Predict(request, timeout=WAIT_S)


def test_what_was_measured_is_predicted_and_sharpened_by_shadow_timings(
    folder: Path, digits_models: DigitsModels
) -> None:
    performance = {"model": "upright.cost", "configuration": {"batch_size": 8}}
    costed = {**candidate("upright"), "performance": performance}
    # Another one serves, so that this one answers in the shadow.
    with running(folder, candidates=[candidate("rotated"), costed], incumbent="rotated") as sidecar:
        before = ask(sidecar, "upright")
        assert before.state == ranking_pb2.STATE_OK
        assert before.configuration["batch_size"].number == 8
        assert before.environment == ENVIRONMENT
        names = {one.name for one in before.objectives}
        assert names == {"latency_p50_s", "throughput_per_s", "memory_bytes"}
        for one in before.objectives:
            assert 0 < one.value.low <= one.value.value <= one.value.high
            assert one.shadow_runs == 0

        sidecar.send(digits_models.validation["upright"][:64])
        sidecar.scored(64)
        after = {one.name: one for one in ask(sidecar, "upright", batch_size=32).objectives}
        snapshot = sidecar.sidecar.board.snapshots()[ENDPOINT]
        timing = snapshot.counters.shadow_timings["upright"]
        assert after["latency_p50_s"].shadow_runs == timing.runs > 0
        assert 0 < timing.lower_quartile_s <= timing.median_s
        assert after["memory_bytes"].shadow_runs == 0

        without = ask(sidecar, "rotated")
        assert without.state == ranking_pb2.STATE_UNAVAILABLE
        assert without.reason
        for name, numbers, code in (
            ("nobody", {}, grpc.StatusCode.NOT_FOUND),
            ("upright", {"batch_size": 1e6}, grpc.StatusCode.INVALID_ARGUMENT),
            ("upright", {"batch": 1.0}, grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                ask(sidecar, name, **numbers)
            assert caught.value.code() == code


def test_check_says_what_is_wrong_with_a_candidates_costs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = {**candidate("upright"), "performance": {"model": "upright.cost"}}
    odd = {**candidate("rotated"), "performance": {"model": "upright.cost", "configuration": {"batch": 8}}}
    path = write(folder, configuration(candidates=[right, odd]))
    assert check(config=path) == 1
    (fault,) = (line for line in capsys.readouterr().out.splitlines() if "candidate rotated" in line)
    assert "performance: there is no option 'batch'" in fault
    odd["performance"] = {"model": "gone.cost"}
    assert check(config=write(folder, configuration(candidates=[right, odd]))) == 1
    assert "there is no such model" in capsys.readouterr().out
