"""Candidates behind a V2 server, through the whole sidecar and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pilotfish.v1 import candidate_pb2, ranking_pb2

from sidecar.inference.onnx import OnnxModel
from tests.integration.test_cli import pilotfish
from tests.support.model_server import ModelServer, V2Message
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    candidate,
    configuration,
    metrics,
    running,
    states,
    write,
    write_profiles,
)


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served")
    write_profiles(digits_models, path)
    np.savez(path / "live.npz", X=digits_models.validation["rotated"])
    return path


@pytest.fixture
def server(digits_models: DigitsModels) -> Iterator[ModelServer]:
    made = ModelServer(OnnxModel(digits_models.paths["rotated"]))
    made.takes = 20
    made.start()
    yield made
    made.open.set()
    made.stop()


def behind(server: ModelServer, name: str = "rotated", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    v2 = {"url": server.address, "model": name, "deadline": "500ms", **more}
    return {"name": name, "profile": f"{name}.safetensors", "v2": v2}


def test_a_served_candidate_is_ranked_goes_and_comes_back(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    images = digits_models.validation["rotated"]
    with running(folder, candidates=[candidate("upright"), behind(server)]) as sidecar:
        sidecar.send(images[:200])
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 200 and _all_rank(ranking))
        assert states(ranking) == {"rotated": "OK", "upright": "NEAR_CHANCE"}
        assert ranking.candidates[0].name == "rotated"

        server.stop()
        sidecar.send(images[200:210])
        ranking = sidecar.ranking_when(lambda ranking: states(ranking)["rotated"] == "UNAVAILABLE")
        assert server.address in ranking.candidates[-1].reason
        listed = sidecar.candidates.ListCandidates(candidate_pb2.ListCandidatesRequest(endpoint=ENDPOINT))
        assert [one.candidate.onnx_path for one in listed.candidates][1] == ""

        sidecar.send(images[210:300])
        server.start()
        # What it missed is asked anew.
        sidecar.ranking_when(lambda ranking: ranking.items == 300 and _all_rank(ranking))


def _all_rank(ranking: ranking_pb2.Ranking) -> bool:
    return "UNAVAILABLE" not in states(ranking).values()


def test_a_server_that_hangs_holds_nobody_up(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    candidates = [candidate("upright"), candidate("again", "rotated", "rotated"), behind(server)]
    with running(folder, candidates=candidates) as sidecar:
        server.open.clear()
        sidecar.send(digits_models.validation["rotated"][:100])
        # At first it has only not answered yet, and the others are ranked all the same.
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 100)
        assert ranking.candidates[0].name == "again"
        assert ranking.candidates[-1].reason.startswith("its server answered less than half of the")
        ranking = sidecar.ranking_when(lambda ranking: "DEADLINE_EXCEEDED" in ranking.candidates[-1].reason)
        assert states(ranking)["rotated"] == "UNAVAILABLE"
        assert ranking.candidates[0].name == "again"


def test_the_servers_own_times_are_metrics_while_it_answers(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    images = digits_models.validation["rotated"]
    with running(folder, candidates=[candidate("upright"), behind(server, batch=1)]) as sidecar:

        def told() -> dict[str, float]:
            names = {name for name, labels in metrics(sidecar) if "rotated" in labels}
            return {
                kind: metrics(sidecar)[f"pilotfish_shadow_server_{kind}_seconds", (ENDPOINT, "rotated")]
                for kind in ("queue", "compute")
                if f"pilotfish_shadow_server_{kind}_seconds" in names
            }

        assert told() == {}
        sidecar.send(images[:200])
        sidecar.ranking_when(lambda ranking: ranking.items == 200 and _all_rank(ranking))
        assert told() == pytest.approx({"queue": 0.002, "compute": 0.005})
        server.stop()
        sidecar.send(images[200:210])
        sidecar.ranking_when(lambda ranking: states(ranking)["rotated"] == "UNAVAILABLE")
        assert told() == {}


def test_a_server_that_takes_ten_seconds_is_asked_no_more_than_it_may(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    images = digits_models.validation["rotated"]
    candidates = [
        candidate("upright"),
        candidate("again", "rotated", "rotated"),
        behind(server, deadline="60s"),
    ]
    with running(folder, candidates=candidates, window={"items": 200}) as sidecar:
        # It answers when the test has seen enough, as others do after ten seconds.
        server.open.clear()
        for start in range(0, 300, 100):
            sidecar.send(images[start : start + 100])
            sidecar.scored(start + 100)
            ranking = sidecar.ranking_when(lambda ranking: ranking.items > 0)
            assert ranking.candidates[0].name == "again"
        while metrics(sidecar)["pilotfish_shadow_items_total", (ENDPOINT, "again")] < 300:
            sidecar.ranking_when(lambda _: True)
        found = metrics(sidecar)
        assert server.most_at_once == 2
        assert found["pilotfish_window_items", (ENDPOINT,)] == 200
        assert found["pilotfish_shadow_items_total", (ENDPOINT, "rotated")] == 0
        assert not [name for name, _ in found if name == "pilotfish_requests_rejected_total"]
        server.open.set()
        sidecar.ranking_when(lambda ranking: ranking.items == 200 and _all_rank(ranking))
        assert server.most_at_once == 2


def test_shared_memory_is_let_go_when_the_sidecar_ends(
    folder: Path, server: ModelServer, digits_models: DigitsModels
) -> None:
    server.shared = {}
    with running(folder, candidates=[candidate("upright"), behind(server, shared_memory=True)]) as sidecar:
        sidecar.send(digits_models.validation["rotated"][:200])
        sidecar.ranking_when(lambda ranking: ranking.items == 200 and _all_rank(ranking))
        # As many as requests were under way at once.
        assert 1 <= len(server.shared) <= 2
    assert server.shared == {}


def test_offline_it_ranks_as_the_same_model_in_process(folder: Path, server: ModelServer) -> None:
    documents = []
    # A model that is served with its classes in another order, and says so.
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    server.lie = lambda response: _permute(response, order)
    for one in (candidate("rotated"), behind(server, labels=[str(place) for place in order])):
        path = folder / "candidates.yaml"
        path.write_text(yaml.safe_dump({"candidates": [candidate("upright"), one]}))
        result = pilotfish("rank", "--candidates", path, "--data", folder / "live.npz", "--format", "json")
        assert result.returncode == 0, result.stderr
        documents.append(json.loads(result.stdout))
    for document in documents:
        del document["made_at"]
    assert documents[0] == documents[1]


def _permute(response: V2Message, order: list[int]) -> None:
    tensor = response.outputs[0]
    values = np.frombuffer(response.raw_output_contents[0], np.float32).reshape(tuple(tensor.shape))
    response.raw_output_contents[0] = values[:, order].tobytes()


def test_check_asks_the_server_and_says_what_nobody_can_check(folder: Path, server: ModelServer) -> None:
    config = configuration(candidates=[candidate("upright"), behind(server)])
    good = pilotfish("check", "--config", write(folder, config))
    assert good.returncode == 0
    assert "note: endpoint digits, candidate rotated: nobody but you knows that its profile" in good.stdout
    assert ": ok" in good.stdout

    config["endpoints"][0]["candidates"][1]["v2"]["output"] = "scores"
    bad = pilotfish("check", "--config", write(folder, config))
    assert bad.returncode == 1
    assert "name the output tensor that holds the classes in `v2.output`" in bad.stdout

    config["endpoints"][0]["candidates"][1] = behind(server, labels=["0", "1", "ten"])
    bad = pilotfish("check", "--config", write(folder, config))
    assert "v2.labels: its 3 names must be the profile's 10 classes" in bad.stdout

    config["endpoints"][0]["candidates"][1] = behind(server)
    server.stop()
    bad = pilotfish("check", "--config", write(folder, config), "--format", "json")
    assert bad.returncode == 1
    assert "see that the server runs" in json.loads(bad.stdout)["faults"][0]
    assert len(json.loads(bad.stdout)["notes"]) == 1
