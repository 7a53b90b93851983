"""Candidates that follow the loads and unloads of a real server's repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.digit_models import candidate
from sidecar.core.tensors import Array
from tests.components.rankings import INCUMBENT, ITEMS, push
from tests.components.server_process import NAMES, ServerProcess
from tests.support.running_sidecar import WAIT_S, RunningSidecar, configuration, states, write


def discovering(server: ServerProcess, folder: Path) -> Path:
    """A configuration whose incumbent is here and whose other candidates are what the server has."""
    discover = {"url": server.address, "profiles": "{model}.safetensors", "every": "200ms"}
    return write(folder, configuration(capture=[], candidates=[candidate(INCUMBENT)], discover=[discover]))


def assert_candidates_follow(server: ServerProcess, folder: Path, live: Array, *broken: str) -> None:
    """Its models are candidates while they are loaded; those of `broken` are, too, and cannot answer."""
    request: Any
    with (
        RunningSidecar(discovering(server, folder)) as sidecar,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        push(sidecar, live[:ITEMS])
        whole = sidecar.ranking_when(
            lambda ranking: ranking.items == ITEMS and _unavailable(states(ranking)) == set(broken)
        )
        assert set(states(whole)) == {*NAMES, *broken}

        request = service_pb2.RepositoryModelUnloadRequest(model_name="noisy")
        stub.RepositoryModelUnload(request, timeout=WAIT_S)
        less = sidecar.ranking_when(lambda ranking: "noisy" not in states(ranking))
        assert set(states(less)) == {*NAMES, *broken} - {"noisy"}
        assert _unavailable(states(less)) == set(broken)

        request = service_pb2.RepositoryModelLoadRequest(model_name="noisy")
        stub.RepositoryModelLoad(request, timeout=WAIT_S)
        sidecar.ranking_when(
            lambda ranking: (
                set(states(ranking)) == set(states(whole))
                and _unavailable(states(ranking)) == set(broken)
                and ranking.items == ITEMS
            )
        )


def _unavailable(found: dict[str, str]) -> set[str]:
    return {name for name, state in found.items() if state == "UNAVAILABLE"}
