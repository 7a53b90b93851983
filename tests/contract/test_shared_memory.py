"""Inputs in memory that a server shares with us: what it holds, what is left, and what it cannot."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.core.tensors import Array
from sidecar.inference.onnx import OnnxModel
from sidecar.scoring.runners.v2 import shared_memory
from sidecar.scoring.runners.v2.model import V2Model
from sidecar.wire.v2.server import Terms, V2Server
from tests.contract.test_runners import doubling, wait_for
from tests.support.model_server import ModelServer

Open = Callable[..., V2Model]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    made = ModelServer(OnnxModel(doubling(tmp_path / "m.onnx", [None, None])))
    made.shared = {}
    made.start()
    yield made
    made.open.set()
    made.stop()
    assert not list(Path("/dev/shm").glob("pilotfish-*"))  # noqa: S108 - where Linux has it


@pytest.fixture
def opened(server: ModelServer) -> Iterator[Open]:
    models = []

    def open_model(deadline_s: float = 10.0) -> V2Model:
        way = V2Server(server.address, Terms(deadline_s=deadline_s, per_second=1e6))
        models.append(
            V2Model(way, "m", "", inputs=server.model.inputs, outputs={"y": "y"}, shared_memory=True)
        )
        return models[-1]

    yield open_model
    for model in models:
        model.close()


def ones(columns: int = 2) -> dict[str, Array]:
    return {"x": np.ones((3, columns), dtype=np.float32)}


def test_the_server_reads_the_inputs_there_and_lets_them_go_when_the_model_is_closed(
    server: ModelServer, opened: Open
) -> None:
    model = opened()
    for value in range(5):
        given = np.full((3, 2), value, dtype=np.float32)
        np.testing.assert_array_equal(model.run({"x": given})["y"], 2 * given)
    assert server.shared is not None
    assert [len(memory) for memory in server.shared.values()] == [1 << 16]
    assert server.calls["SystemSharedMemoryRegister"] == 1
    model.close()
    assert not server.shared
    model.close()


def test_a_region_grows_with_the_requests_and_there_are_as_many_as_are_under_way(
    server: ModelServer, opened: Open
) -> None:
    model = opened()
    assert server.shared is not None
    for columns in (2, 10_000, 2, 20_000):
        np.testing.assert_array_equal(model.run(ones(columns))["y"], 2 * ones(columns)["x"])
        assert len(server.shared) == 1
    assert [len(memory) for memory in server.shared.values()] == [1 << 18]
    server.open.clear()
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(model.run, ones()) for _ in range(3)]
        wait_for(lambda: server.most_at_once == 3)
        server.open.set()
        for one in asked:
            one.result(10)
    assert len(server.shared) == 3
    model.close()
    assert not server.shared


def test_a_server_that_was_started_anew_is_told_again(server: ModelServer, opened: Open) -> None:
    model = opened()
    model.run(ones())
    assert server.shared is not None
    server.shared.clear()
    with pytest.raises(UnavailableError, match="has forgotten our shared memory"):
        model.run(ones())
    np.testing.assert_array_equal(model.run(ones())["y"], 2 * ones()["x"])
    assert len(server.shared) == 1


def test_what_a_server_may_still_read_is_used_again_and_never_taken_from_it(
    server: ModelServer, opened: Open
) -> None:
    model = opened(deadline_s=0.3)
    model.run(ones())
    server.open.clear()
    for _ in range(3):
        with pytest.raises(UnavailableError, match="DEADLINE_EXCEEDED"):
            model.run(ones())
    server.open.set()
    assert server.shared is not None
    assert len(server.shared) == 1
    model.close()
    assert not server.calls["SystemSharedMemoryUnregister"]


def test_what_the_server_refuses_is_told_as_it_is(server: ModelServer, opened: Open) -> None:
    model = opened()
    model.run(ones())
    server.fault = grpc.StatusCode.INVALID_ARGUMENT, "not this"
    with pytest.raises(InvalidError, match="INVALID_ARGUMENT: not this"):
        model.run(ones())
    assert server.shared is not None
    assert len(server.shared) == 1


def test_a_server_without_it_or_on_another_node_is_told_and_so_is_the_mend(
    server: ModelServer, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.shared = None
    for ask in (lambda: opened().describe(), lambda: opened().run(ones())):
        with pytest.raises(InvalidError, match=r"UNIMPLEMENTED\): leave `v2.shared_memory` out"):
            ask()
    server.shared = {}
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(shared_memory, "_FOLDER", tmp_path)
        with pytest.raises(InvalidError, match=r"Unable to open .* must run on this node"):
            opened().run(ones())
    assert not list(tmp_path.glob("pilotfish-*"))


def test_there_is_a_bound_and_no_room_is_told(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "LARGEST_BYTES", 100)
    with pytest.raises(InvalidError, match=r"120 bytes of inputs, and at most 100 can be.*lower `v2.batch`"):
        opened().run(ones(10))

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InvalidError, match=r"cannot reserve .*No space left on device.: make room"):
        opened().run(ones())
