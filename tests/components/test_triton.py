"""Candidates behind a real Triton: the same ranking as in process, and what happens when it dies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from pilotfish.v1 import ranking_pb2, traffic_pb2
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.digit_models import candidate as here
from sidecar.config.schema import V2
from sidecar.core.errors import InvalidError
from sidecar.core.tensors import Array
from sidecar.formats.profile import read_profile
from sidecar.scoring.runners.v2.opening import served_model
from tests.components.following import assert_candidates_follow
from tests.components.held import assert_nothing_is_left, held
from tests.components.rankings import assert_ranked_as_in_process
from tests.components.server_process import NAMES, behind
from tests.components.triton_server import TritonServer
from tests.support.running_sidecar import ENDPOINT, RunningSidecar, configuration, states, write

STREAMING = "streaming"
# Rounds within which a state changes, counted from the first one that begins after the fault.
ROUNDS = 2


@pytest.fixture(scope="module")
def triton(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    models = {**{name: folder / f"{name}.onnx" for name in NAMES}, STREAMING: folder / "upright.onnx"}
    server = TritonServer(models, tmp_path_factory.mktemp("triton"), streaming=STREAMING)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def test_its_models_are_ranked_as_the_same_models_in_process(
    triton: TritonServer, folder: Path, live: Array, tmp_path: Path
) -> None:
    assert_ranked_as_in_process(triton, folder, live, tmp_path)


def test_its_models_read_shared_memory_and_it_is_let_go(
    triton: TritonServer, folder: Path, live: Array, tmp_path: Path
) -> None:
    model = served_model(
        V2(url=triton.address, model="upright", shared_memory=True),
        read_profile(folder / "upright.safetensors"),
    )
    with grpc.insecure_channel(triton.address) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        def regions() -> int:
            request = service_pb2.SystemSharedMemoryStatusRequest()
            return len(stub.SystemSharedMemoryStatus(request, timeout=10).regions)

        try:
            model.run({"image": live[:16]})
            assert regions() == 1
        finally:
            model.close()
        assert regions() == 0
        assert_ranked_as_in_process(triton, folder, live, tmp_path, shared_memory=True)
        assert regions() == 0


def test_candidates_follow_its_loads_and_unloads(triton: TritonServer, folder: Path, live: Array) -> None:
    # The one that streams has no profile either.
    assert_candidates_follow(triton, folder, live, STREAMING)


def test_what_triton_tells_of_a_model(triton: TritonServer, folder: Path, live: Array) -> None:
    profile = read_profile(folder / "upright.safetensors")
    model = served_model(V2(url=triton.address, model="upright"), profile)
    try:
        assert model.describe().most == 16
        for _ in range(65):
            model.run({"image": live[:1]})
        assert model.times is not None
        assert model.times.requests == 64
        assert 0 < model.times.compute_s < 1
    finally:
        model.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": STREAMING}, "is decoupled"),
        ({"model": "none"}, "unknown model: 'none'|NOT_FOUND"),
        ({"model": "upright", "version": "7"}, "version"),
    ],
)
def test_a_model_that_cannot_answer_is_told(
    triton: TritonServer, folder: Path, live: Array, settings: dict[str, str], message: str
) -> None:
    profile = read_profile(folder / "upright.safetensors")
    model = served_model(V2(url=triton.address, **settings), profile)
    try:
        with pytest.raises(InvalidError, match=message):
            model.run({"image": live[:1]})
    finally:
        model.close()


@contextmanager
def load(sidecar: RunningSidecar, images: Array) -> Iterator[None]:
    """Pushes images, some hundred a second, until the block ends."""
    done = threading.Event()

    def requests() -> Iterator[traffic_pb2.ObserveRequest]:
        number = 0
        while not done.wait(0.005):
            image = images[number % len(images)][None]
            tensor = traffic_pb2.Tensor(
                name="image", datatype="FP32", shape=image.shape, contents=image.tobytes()
            )
            yield traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor])
            number += 1

    sender = threading.Thread(target=lambda: sidecar.traffic.Observe(requests()))
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


@pytest.mark.parametrize("fault", ["killed", "hung"])
def test_a_server_that_goes_under_load_is_a_state_and_comes_back(
    triton: TritonServer, folder: Path, live: Array, fault: str
) -> None:
    candidates = [here("upright"), here("thick")]
    # One thread each from the start, so that threads can be counted.
    served = {"deadline": "300ms", "in_flight": 1}
    candidates += [behind(triton, "rotated", **served), behind(triton, "noisy", **served, shared_memory=True)]
    config = configuration(
        capture=[], candidates=candidates, window={"items": 1000}, ranking={"every": "1s", "min_items": 20}
    )
    with RunningSidecar(write(folder, config)) as sidecar, load(sidecar, live):

        def alive(ranking: ranking_pb2.Ranking) -> bool:
            return ranking.items > 100 and "UNAVAILABLE" not in states(ranking).values()

        def without(ranking: ranking_pb2.Ranking) -> bool:
            found = states(ranking)
            return {found["rotated"], found["noisy"]} == {"UNAVAILABLE"}

        request = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT)
        last = sidecar.ranking_when(alive)
        assert states(last)["rotated"] == "OK"
        before = held(sidecar)

        def newest() -> int:
            """The round under way when it is asked."""
            return sidecar.rankings.GetRanking(request).ranking.round + 1

        if fault == "killed":
            triton.kill()
        else:
            triton.pause()
        began = newest()
        gone = sidecar.ranking_when(without)
        assert gone.round - began <= ROUNDS
        found = states(gone)
        assert "UNAVAILABLE" not in {found["upright"], found["thick"]}
        assert gone.items > last.items / 2
        assert triton.address in next(one.reason for one in gone.candidates if one.name == "noisy")
        # The others are ranked on, in time.
        later = sidecar.ranking_when(lambda ranking: ranking.round >= gone.round + 3)
        assert without(later)
        assert later.items >= gone.items

        if fault == "killed":
            triton.start()
        else:
            triton.go_on()
        restarted = newest()
        # It answers what the window holds, also what came while it was away.
        back = sidecar.ranking_when(alive)
        assert back.items > gone.items / 2
        # Its breaker tries it every five seconds at the latest, which is five rounds here.
        assert back.round - restarted <= 5 + ROUNDS
        assert_nothing_is_left(sidecar, before)
