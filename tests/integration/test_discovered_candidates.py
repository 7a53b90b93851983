"""Candidates that follow what a server has, through the whole sidecar and the command line."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pilotfish.v1 import candidate_pb2, ranking_pb2
from structlog.testing import capture_logs

from sidecar.inference.onnx import OnnxModel
from tests.integration.test_cli import pilotfish
from tests.support.model_server import ModelServer
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    WAIT_S,
    RunningSidecar,
    candidate,
    configuration,
    metrics,
    running,
    states,
    write,
    write_profiles,
)

LIST = candidate_pb2.ListCandidatesRequest(endpoint=ENDPOINT)


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("discovered")
    write_profiles(digits_models, path)
    for name in ("digits_a", "digits_b"):
        shutil.copy(path / "rotated.safetensors", path / f"{name}.safetensors")
    np.savez(path / "live.npz", X=digits_models.validation["rotated"])
    return path


@pytest.fixture
def server(digits_models: DigitsModels) -> Iterator[ModelServer]:
    made = ModelServer(OnnxModel(digits_models.paths["rotated"]))
    made.index = ready("digits_a", "digits_b", "other")
    made.start()
    yield made
    made.open.set()
    made.stop()


def ready(*names: str) -> dict[tuple[str, str], str]:
    return {(name, "1"): "READY" for name in names}


def discover(server: ModelServer, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - YAML
    options = {"deadline": "500ms", "every": "50ms", "profiles": "{model}.safetensors"}
    return [{"url": server.address, "models": "digits_*", **options, **more}]


def eventually(true: Callable[[], bool]) -> None:
    """For what no ranking tells; whoever waits has no event."""
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.02)


def names(sidecar: RunningSidecar) -> list[str]:
    return [one.candidate.name for one in sidecar.candidates.ListCandidates(LIST).candidates]


def answers(ranking: ranking_pb2.Ranking, name: str) -> bool:
    """All that answer are one model, and so share a rank."""
    return states(ranking).get(name) == "TIED"


def state(sidecar: RunningSidecar, server: ModelServer) -> str:
    """What the metrics say of the last look at the server's index."""
    told = sidecar.sidecar._read().discovery
    return next((str(current) for key, (current, _) in told.items() if key.url == server.address), "")


def test_candidates_follow_the_servers_loads_and_unloads(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    candidates = [candidate("upright"), candidate("rotated")]
    with running(folder, candidates=candidates, discover=discover(server)) as sidecar:
        sidecar.send(digits_models.validation["rotated"][:200])
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 200 and answers(ranking, "digits_b"))
        assert set(states(ranking)) == {"upright", "rotated", "digits_a", "digits_b"}
        listed = sidecar.candidates.ListCandidates(LIST).candidates
        assert [one.configured for one in listed] == [True] * 4

        server.index = ready("digits_b", "digits_c")
        ranking = sidecar.ranking_when(lambda ranking: "digits_c" in states(ranking))
        assert set(states(ranking)) == {"upright", "rotated", "digits_b", "digits_c"}
        # What stayed kept its answers; what has no profile is a state and no fault of the others.
        assert answers(ranking, "digits_b")
        broken = next(one for one in ranking.candidates if one.name == "digits_c")
        assert broken.state == ranking_pb2.STATE_UNAVAILABLE
        assert "digits_c.safetensors" in broken.reason

        shutil.copy(folder / "rotated.safetensors", folder / "digits_c.safetensors")
        sidecar.send(digits_models.validation["rotated"][200:210])
        sidecar.ranking_when(lambda ranking: answers(ranking, "digits_c"))
        (folder / "digits_c.safetensors").unlink()

        sidecar.candidates.RemoveCandidate(
            candidate_pb2.RemoveCandidateRequest(endpoint=ENDPOINT, name="digits_b")
        )
        server.index = ready("digits_a", "digits_b")
        eventually(lambda: names(sidecar) == ["upright", "rotated", "digits_a"])


@pytest.mark.parametrize("fault", ["away", "without an index"])
def test_a_server_that_does_not_tell_loses_nothing(folder: Path, server: ModelServer, fault: str) -> None:
    found = ["upright", "rotated", "digits_a", "digits_b"]
    with running(folder, discover=discover(server)) as sidecar:
        eventually(lambda: names(sidecar) == found)
        assert state(sidecar, server) == "READ"
        if fault == "away":
            server.stop()
        else:
            server.index = None
        expected = "AWAY" if fault == "away" else "REFUSED"
        eventually(lambda: state(sidecar, server) == expected)
        assert names(sidecar) == found
        labelled = [labels for name, labels in metrics(sidecar) if name == "pilotfish_discovery_models"]
        assert labelled == [(ENDPOINT,)]

        server.index = ready("digits_b")
        if fault == "away":
            server.start()
        eventually(lambda: names(sidecar) == ["upright", "rotated", "digits_b"])
        assert state(sidecar, server) == "READ"


def test_that_models_cannot_be_discovered_is_said_once(folder: Path, server: ModelServer) -> None:
    server.index = None
    with capture_logs() as logs, running(folder, discover=discover(server)) as sidecar:
        eventually(lambda: server.calls["RepositoryIndex"] > 3)
        assert state(sidecar, server) == "REFUSED"
    said = [
        one
        for one in logs
        if one["event"] == "models cannot be discovered; the models that are known stay candidates"
    ]
    assert [(one["url"], one["log_level"]) for one in said] == [(server.address, "warning")]
    assert "no repository index" in said[0]["why"]


def test_a_server_that_hangs_holds_nobody_up_nor_the_end(folder: Path, server: ModelServer) -> None:
    server.open.clear()
    with running(folder, discover=discover(server, deadline="60s")) as sidecar:
        eventually(lambda: server.calls["RepositoryIndex"] == 1)
        sidecar.ranking_when(lambda ranking: ranking.round >= 1)
        began = time.monotonic()
    assert time.monotonic() - began < WAIT_S / 2


def test_a_changed_file_changes_what_is_watched(folder: Path, server: ModelServer) -> None:
    with running(folder, discover=discover(server)) as sidecar:
        eventually(lambda: names(sidecar) == ["upright", "rotated", "digits_a", "digits_b"])
        # The same models with other options are never gone in between.
        sidecar.path.write_text(yaml.safe_dump(configuration(discover=discover(server, batch=8))))
        eventually(lambda: sidecar.sidecar.endpoint(ENDPOINT).candidates[-1].model.batch == 8)
        assert names(sidecar) == ["upright", "rotated", "digits_a", "digits_b"]
        sidecar.path.write_text(yaml.safe_dump(configuration()))
        eventually(lambda: names(sidecar) == ["upright", "rotated"])
        eventually(lambda: not sidecar.sidecar._read().discovery)


def test_offline_they_are_ranked_too(folder: Path, server: ModelServer) -> None:
    path = folder / "offline.yaml"
    path.write_text(yaml.safe_dump({"candidates": [candidate("upright")], "discover": discover(server)}))
    asked = ("rank", "--candidates", path, "--data", folder / "live.npz", "--format", "json")
    result = pilotfish(*asked)
    assert result.returncode == 0, result.stderr
    ranked = json.loads(result.stdout)["candidates"]
    assert {one["name"] for one in ranked} == {"upright", "digits_a", "digits_b"}
    server.index = None
    result = pilotfish(*asked)
    assert result.returncode != 0
    assert "no repository index" in result.stderr


def test_check_looks_at_what_the_server_has(folder: Path, server: ModelServer) -> None:
    path = write(folder, configuration(discover=discover(server)))
    good = pilotfish("check", "--config", path)
    assert good.returncode == 0, good.stdout
    assert "candidate digits_b: nobody but you knows" in good.stdout

    server.index = ready("digits_a", "digits_c", "digits_d e")
    bad = pilotfish("check", "--config", path)
    assert bad.returncode == 1
    assert "candidate digits_c: " in bad.stdout
    assert "1 models that fit are no candidates" in bad.stdout

    server.index = ready("other")
    assert "no model that is ready fits; there are ['other']" in pilotfish("check", "--config", path).stdout

    server.index = None
    bad = pilotfish("check", "--config", path)
    assert bad.returncode == 1
    assert f"discover digits_* of {server.address}" in bad.stdout
    assert "no repository index (UNIMPLEMENTED): name its models in `candidates`" in bad.stdout
