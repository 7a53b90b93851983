"""A real MLServer, as the server of candidates and as the upstream of the proxy."""

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
from tests.components.following import assert_candidates_follow
from tests.components.ml_server import MLServer
from tests.components.rankings import assert_ranked_as_in_process
from tests.components.server_process import NAMES, behind
from tests.components.upstream import (
    assert_grpc_traffic_is_ranked,
    assert_rest_traffic_is_ranked,
    json_body,
)
from tests.support.running_sidecar import configuration, write


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    models = {name: folder / f"{name}.onnx" for name in NAMES}
    made = MLServer(models, tmp_path_factory.mktemp("mlserver"), told="thick")
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_its_models_are_ranked_as_the_same_models_in_process(
    server: MLServer, folder: Path, live: Array, tmp_path: Path
) -> None:
    assert_ranked_as_in_process(server, folder, live, tmp_path)


def test_grpc_traffic_to_it_is_ranked_by_its_live_answers(
    server: MLServer, folder: Path, live: Array, expected: ranking_pb2.Ranking
) -> None:
    assert_grpc_traffic_is_ranked(server, folder, live, expected)


def test_http_traffic_to_it_is_ranked_by_its_live_answers(
    server: MLServer, folder: Path, live: Array, expected: ranking_pb2.Ranking
) -> None:
    assert_rest_traffic_is_ranked(server, folder, live, expected, json_body)


def test_candidates_follow_its_loads_and_unloads(server: MLServer, folder: Path, live: Array) -> None:
    assert_candidates_follow(server, folder, live)


def test_what_it_tells_and_how_it_refuses(server: MLServer, live: Array) -> None:
    way = V2Server(server.address, Terms(deadline_s=10, per_second=1e6))
    wrong = (TensorSpec("image", "FP32", (63,)),)
    model = V2Model(way, "upright", "", inputs=wrong, outputs={"probabilities": "probabilities"})
    try:
        # Its settings name no inputs, so the profile's are believed, and the server refuses them.
        with pytest.raises(InvalidError, match=r"INTERNAL: .*invalid dimensions"):
            model.run({"image": live[:1, :63]})
        # Those of this one do, and so it is not even asked.
        with pytest.raises(InvalidError, match=r"'image' is FP32 \[-1, 64\], but the profile has"):
            V2Model(way, "thick", "", inputs=wrong, outputs={"p": "probabilities"}).describe()
        for method in ("ModelConfig", "ModelStatistics", "SystemSharedMemoryStatus"):
            assert way.known(method, getattr(service_pb2, f"{method}Request")()) is None
        index = way.call("RepositoryIndex", service_pb2.RepositoryIndexRequest())
        assert {(one.name, one.state) for one in index.models} == {(name, "State.READY") for name in NAMES}
    finally:
        model.close()


def test_it_has_no_shared_memory_and_that_is_said(
    server: MLServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(candidates=[behind(server, "upright", shared_memory=True)], capture=[])
    assert app(["check", "--config", str(write(folder, config))]) == 1
    assert "no system shared memory (UNIMPLEMENTED): leave `v2.shared_memory` out" in capsys.readouterr().out
