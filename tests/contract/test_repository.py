"""What servers say of their models, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from sidecar.inference.onnx import OnnxModel
from sidecar.wire.v2.repository import Index, IndexState, ready_models
from sidecar.wire.v2.server import Terms, V2Server
from tests.support.model_server import ModelServer
from tests.support.models import DigitsModels


@pytest.fixture
def server(digits_models: DigitsModels) -> Iterator[ModelServer]:
    made = ModelServer(OnnxModel(digits_models.paths["upright"]))
    made.start()
    yield made
    made.stop()


def told(server: ModelServer) -> Index:
    way = V2Server(server.address, Terms(deadline_s=5, per_second=1e6))
    try:
        return ready_models(way)
    finally:
        way.close()


def test_a_model_that_is_ready_in_any_version_is_told_once(server: ModelServer) -> None:
    server.index = {
        ("a", "1"): "UNAVAILABLE",
        ("a", "2"): "READY",
        ("b", "1"): "LOADING",
        ("c", "1"): "READY",
        ("c", "2"): "READY",
        ("d", "1"): "UNAVAILABLE",
    }
    assert told(server) == Index(IndexState.READ, ("a", "c"))


def test_states_as_mlserver_writes_them(server: ModelServer) -> None:
    server.index = {("a", ""): "State.READY", ("b", ""): "State.UNAVAILABLE", ("c", ""): "State.UNKNOWN"}
    assert told(server) == Index(IndexState.READ, ("a",))


def test_an_empty_repository_is_no_missing_one(server: ModelServer) -> None:
    server.index = {}
    assert told(server) == Index(IndexState.READ, ())


def test_a_server_without_an_index_says_so(server: ModelServer) -> None:
    index = told(server)
    assert index.state is IndexState.REFUSED
    assert index.reason.endswith("no repository index (UNIMPLEMENTED): name its models in `candidates`")


def test_a_server_that_refuses_or_is_away_says_so(server: ModelServer) -> None:
    server.fault = grpc.StatusCode.PERMISSION_DENIED, "not you"
    index = told(server)
    assert index.state is IndexState.REFUSED
    assert "PERMISSION_DENIED: not you" in index.reason
    server.stop()
    index = told(server)
    assert index.state is IndexState.AWAY
    assert "see that the server runs" in index.reason
