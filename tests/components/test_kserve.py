"""A real KServe Python server, as the server of candidates and as the upstream of the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pilotfish.v1 import ranking_pb2
from tritonclient.grpc import service_pb2

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array, TensorSpec
from sidecar.scoring.runners.v2.model import V2Model
from sidecar.tools.cli import app
from sidecar.wire.v2.server import Terms, V2Server
from tests.components.following import discovering
from tests.components.kserve_server import KServe
from tests.components.rankings import assert_ranked_as_in_process
from tests.components.server_process import NAMES, behind
from tests.components.upstream import (
    assert_grpc_traffic_is_ranked,
    assert_rest_traffic_is_ranked,
    binary_body,
    json_body,
)
from tests.support.running_sidecar import configuration, write


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    made = KServe({name: folder / f"{name}.onnx" for name in NAMES}, tmp_path_factory.mktemp("kserve"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_its_models_are_ranked_as_the_same_models_in_process(
    server: KServe, folder: Path, live: Array, tmp_path: Path
) -> None:
    assert_ranked_as_in_process(server, folder, live, tmp_path)


def test_grpc_traffic_to_it_is_ranked_by_its_live_answers(
    server: KServe, folder: Path, live: Array, expected: ranking_pb2.Ranking
) -> None:
    assert_grpc_traffic_is_ranked(server, folder, live, expected)


def test_http_traffic_to_it_is_ranked_by_its_live_answers(
    server: KServe, folder: Path, live: Array, expected: ranking_pb2.Ranking
) -> None:
    assert_rest_traffic_is_ranked(server, folder, live, expected, json_body, binary_body)


def test_its_models_cannot_be_discovered_and_that_is_said(
    server: KServe, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(["check", "--config", str(discovering(server, folder))]) == 1
    said = capsys.readouterr().out
    assert f"discover * of {server.address}: {server.address}: no repository index (UNIMPLEMENTED)" in said


def test_what_it_tells_and_how_it_refuses(server: KServe, live: Array) -> None:
    way = V2Server(server.address, Terms(deadline_s=10, per_second=1e6))
    wrong = (TensorSpec("image", "FP32", (63,)),)
    model = V2Model(way, "upright", "", inputs=wrong, outputs={"probabilities": "probabilities"})
    try:
        # It names no inputs, so the profile's are believed, and the server refuses them, without a reason.
        with pytest.raises(InvalidError, match="INTERNAL: Internal server error"):
            model.run({"image": live[:1, :63]})
        for method in ("ModelConfig", "ModelStatistics", "RepositoryIndex", "SystemSharedMemoryStatus"):
            assert way.known(method, getattr(service_pb2, f"{method}Request")()) is None
    finally:
        model.close()


def test_it_has_no_shared_memory_and_that_is_said(
    server: KServe, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(candidates=[behind(server, "upright", shared_memory=True)], capture=[])
    assert app(["check", "--config", str(write(folder, config))]) == 1
    assert "no system shared memory (UNIMPLEMENTED): leave `v2.shared_memory` out" in capsys.readouterr().out
