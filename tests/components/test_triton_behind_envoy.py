"""Traffic of a real Triton through a real Envoy: its candidates are ranked as the same models in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pilotfish.v1 import ranking_pb2
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.tensors import Array
from tests.components.rankings import INCUMBENT, ITEMS, assert_same, whole
from tests.components.running_envoy import RunningEnvoy, free_port, printed
from tests.components.server_process import NAMES, behind
from tests.components.triton_server import TritonServer
from tests.support.capture_ways import Call
from tests.support.running_sidecar import ENDPOINT, WAIT_S, RunningSidecar, configuration, metrics, write


@pytest.fixture(scope="module")
def triton(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    server = TritonServer(
        {name: folder / f"{name}.onnx" for name in NAMES}, tmp_path_factory.mktemp("triton")
    )
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.parametrize("kind", ["mirror", "observer"])
def test_the_ranking_of_live_traffic_is_that_of_the_same_models_in_process(
    kind: str,
    triton: TritonServer,
    expected: ranking_pb2.Ranking,
    folder: Path,
    live: Array,
    envoy_program: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    capture = {kind: {"listen": listen, "envoy": admin, "model": INCUMBENT}}
    config = configuration(capture=[capture], candidates=[behind(triton, name) for name in NAMES])
    path = write(folder, config)
    around = RunningEnvoy(envoy_program, printed(path, kind, triton.address, capsys), tmp_path)
    answered = inferences(triton)
    with RunningSidecar(path) as sidecar, around as envoy:
        # One after the other, so that the items are in the order of those that were pushed.
        with grpc.insecure_channel(envoy.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            for image in live[:ITEMS]:
                answer = stub.ModelInfer(
                    Call({"image": image[None]}, model=INCUMBENT).request, timeout=WAIT_S
                )
                assert answer.outputs[0].name == "probabilities"
        found = sidecar.ranking_when(whole)
        told = metrics(sidecar)

    assert_same(found, expected)
    # The observer saw the live answers, so the incumbent was asked by the client alone.
    seen, asked = (ITEMS, 0) if kind == "observer" else (0, ITEMS)
    assert told["pilotfish_incumbent_answers_seen_total", (ENDPOINT,)] == seen
    assert told["pilotfish_shadow_items_total", (ENDPOINT, INCUMBENT)] == asked
    assert inferences(triton) == {
        name: answered[name] + ITEMS + (asked if name == INCUMBENT else 0) for name in NAMES
    }


def inferences(triton: TritonServer) -> dict[str, int]:
    """Items that each model has answered by the server's own count."""
    with grpc.insecure_channel(triton.address) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        told = stub.ModelStatistics(service_pb2.ModelStatisticsRequest(), timeout=WAIT_S)
    return {one.name: one.inference_count for one in told.model_stats}
