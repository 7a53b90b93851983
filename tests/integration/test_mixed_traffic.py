"""Mixed traffic through a whole sidecar: each kind of it has a ranking, the whole is weighed from them."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import yaml
from pilotfish.v1 import ranking_pb2, traffic_pb2

from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.tools.cli.rank import rank
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

UPRIGHT, ROTATED = 120, 80


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segments")
    write_profiles(digits_models, path)
    return path


@pytest.fixture
def mixed(digits_models: DigitsModels) -> list[tuple[str, Array]]:
    """Images with where they are from, each site's own kind, in no order."""
    images = [("up", image) for image in digits_models.validation["upright"][:UPRIGHT]]
    images += [("turned", image) for image in digits_models.validation["rotated"][:ROTATED]]
    order = np.random.default_rng(0).permutation(len(images))
    return [images[index] for index in order]


def pushed(site: str, image: Array) -> traffic_pb2.ObserveRequest:
    """An item that tells its site twice: by a tensor and by metadata."""
    return traffic_pb2.ObserveRequest(
        endpoint=ENDPOINT,
        inputs=[
            traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=image.tobytes()),
            traffic_pb2.Tensor(
                name="site",
                datatype="BYTES",
                shape=[1],
                contents=len(site).to_bytes(4, "little") + site.encode(),
            ),
        ],
        metadata={"x-site": site, "authorization": "secret"},
    )


def of_segment(sidecar: RunningSidecar, segment: str) -> ranking_pb2.Ranking:
    request = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT, segment=segment)
    return sidecar.rankings.GetRanking(request, timeout=WAIT_S).ranking


def assert_split(sidecar: RunningSidecar, rule: str) -> None:
    ranking = sidecar.ranking_when(lambda ranking: ranking.items == UPRIGHT + ROTATED)
    found = [(one.name, one.items, one.top_candidate, one.rule) for one in ranking.segments]
    assert found == [
        ("up", UPRIGHT, "upright", f"{rule} = up"),
        ("turned", ROTATED, "rotated", f"{rule} = turned"),
    ]
    estimates: dict[str, list[float]] = {"upright": [], "rotated": []}
    for one in ranking.segments:
        own = of_segment(sidecar, one.name)
        assert (own.segment, own.items, own.candidates[0].name) == (one.name, one.items, one.top_candidate)
        assert (own.state, own.reason) == (one.state, one.reason)
        assert not own.segments
        for ranked in own.candidates:
            estimates[ranked.name].append(ranked.accuracy.value)
    for ranked in ranking.candidates:
        assert min(estimates[ranked.name]) < ranked.accuracy.value < max(estimates[ranked.name])


@pytest.mark.parametrize(
    ("segments", "rule"), [({"tensor": "site"}, "tensor site"), ({"metadata": "x-site"}, "metadata x-site")]
)
def test_pushed_traffic_is_split(
    folder: Path, mixed: list[tuple[str, Array]], segments: dict[str, str], rule: str
) -> None:
    with running(folder, capture=[], segments=segments) as sidecar:
        sidecar.traffic.Observe(iter([pushed(*item) for item in mixed]), timeout=WAIT_S)
        assert_split(sidecar, rule)
        with pytest.raises(grpc.RpcError) as caught:
            of_segment(sidecar, "down")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert "no segment 'down' in 'digits'; there are: up, turned" in str(caught.value.details())
        watch = sidecar.rankings.WatchRanking(
            ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT, segment="turned"), timeout=WAIT_S
        )
        assert next(iter(watch)).ranking.candidates[0].name == "rotated"
        watch.cancel()


def test_the_proxy_reads_the_metadata_that_it_is_told_also_on_an_open_connection(
    folder: Path, mixed: list[tuple[str, Array]]
) -> None:
    def send(client: triton.InferenceServerClient, key: str) -> None:
        for site, image in mixed:
            tensor = triton.InferInput("X", [1, 64], "FP32")
            tensor.set_data_from_numpy(image[None])
            client.infer(ENDPOINT, [tensor], headers={key: site}, client_timeout=WAIT_S)

    with (
        running(folder, segments={"metadata": "x-site"}) as sidecar,
        triton.InferenceServerClient(sidecar.proxy) as client,
    ):
        send(client, "x-site")
        assert_split(sidecar, "metadata x-site")
        write(folder, configuration(segments={"metadata": "x-place"}))
        sidecar.ranking_when(lambda ranking: ranking.items == 0)
        send(client, "x-place")
        assert_split(sidecar, "metadata x-place")


def test_inputs_alone_tell_the_kinds_apart(folder: Path, digits_models: DigitsModels) -> None:
    images = np.concatenate([digits_models.validation[name][:200] for name in ("upright", "rotated")])
    order = np.random.default_rng(0).permutation(len(images))
    with running(folder, capture=[], segments={"inputs": True, "max": 2}) as sidecar:
        sidecar.traffic.Observe(iter([pushed("", image) for image in images[order]]), timeout=WAIT_S)
        ranking = sidecar.ranking_when(lambda ranking: ranking.items == 400)
        assert {one.top_candidate for one in ranking.segments} == {"upright", "rotated"}
        assert {one.rule for one in ranking.segments} == {"inputs: nearest of 2 centres"}
        assert sum(one.items for one in ranking.segments) == 400


@pytest.fixture
def candidates(folder: Path) -> Path:
    path = folder / "candidates.yaml"
    path.write_text(yaml.safe_dump({"candidates": [candidate("upright"), candidate("rotated")]}))
    return path


def test_a_column_splits_a_file(
    folder: Path, candidates: Path, mixed: list[tuple[str, Array]], capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder / "mixed.npz"
    np.savez(data, X=np.stack([image for _, image in mixed]), site=np.array([site for site, _ in mixed]))
    rank(candidates=candidates, data=data, segments="site", format="json")
    document = json.loads(capsys.readouterr().out)
    found = [(one["name"], one["items"], one["top_candidate"], one["share"]) for one in document["segments"]]
    assert found == [("up", UPRIGHT, "upright", 0.6), ("turned", ROTATED, "rotated", 0.4)]
    assert document["items"] == UPRIGHT + ROTATED
    rank(candidates=candidates, data=data, segments="site", limit=150)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("segment ")]
    assert len(lines) == 2
    assert lines[0].startswith("segment up  ")
    assert "top upright: " in lines[0]
    rank(candidates=candidates, data=data, features="X")
    assert "segment " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"site": np.zeros((200, 2))}, "column 'site' has 2 values a row"),
        ({"site": np.zeros(150)}, "column 'site' has 150 values for 200 rows"),
        ({"place": np.zeros(200)}, "there is no column 'site'"),
    ],
)
def test_a_column_that_cannot_split_is_refused(
    folder: Path, candidates: Path, mixed: list[tuple[str, Array]], columns: dict[str, Array], said: str
) -> None:
    data = folder / "odd.npz"
    arrays = {"X": np.stack([image for _, image in mixed]), **columns}
    np.savez(data, allow_pickle=False, **arrays)
    with pytest.raises(InvalidError, match=said):
        rank(candidates=candidates, data=data, segments="site")
