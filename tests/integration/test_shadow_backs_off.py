"""A model server that shadow work slows down: it backs off, says so, and comes back; over real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton
from pilotfish.v1 import ranking_pb2

from sidecar.core.tensors import Array
from sidecar.inference.onnx import OnnxModel
from tests.support.model_server import ModelServer, V2Message
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    RunningSidecar,
    candidate,
    configuration,
    infer,
    metrics,
    states,
    write,
    write_profiles,
)

SHADOW_S = 0.1


class OneAtATime(ModelServer):
    """A server on which live requests wait for those of candidates, while it is told so."""

    def __init__(self, model: OnnxModel) -> None:
        super().__init__(model)
        self.slowed = True
        self._one = threading.Lock()

    def _infer(self, request: V2Message, context: grpc.ServicerContext) -> V2Message:
        if not self.slowed:
            return super()._infer(request, context)
        with self._one:
            if request.model_name != ENDPOINT:
                time.sleep(SHADOW_S)
            return super()._infer(request, context)


@pytest.fixture
def server(digits_models: DigitsModels) -> Iterator[OneAtATime]:
    made = OneAtATime(OnnxModel(digits_models.paths["rotated"]))
    made.start()
    yield made
    made.stop()


def settings(server: ModelServer, **budget: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    served = {"url": server.address, "model": "rotated", "batch": 8, "in_flight": 4, "per_second": 1000}
    config = configuration(
        capture=[{"proxy": {"listen": "127.0.0.1:0", "upstream": server.address}}],
        # The incumbent's answers come with the traffic.
        candidates=[
            candidate("rotated"),
            {"name": "served", "profile": "rotated.safetensors", "v2": served},
            {"name": "again", "profile": "rotated.safetensors", "v2": served},
        ],
        incumbent="rotated",
        window={"items": 256},
        ranking={"every": "200ms"},
    )
    config["interference"] = budget
    return config


@contextmanager
def live(sidecar: RunningSidecar, images: Array) -> Iterator[None]:
    """Sends one request after the other meanwhile."""
    ended = threading.Event()

    def send() -> None:
        with triton.InferenceServerClient(sidecar.proxy) as client:
            for image in cycle(images):
                infer(client, image[None])
                if ended.wait(0.005):
                    return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_it_backs_off_says_so_and_comes_back(
    digits_models: DigitsModels, server: OneAtATime, tmp_path: Path
) -> None:
    write_profiles(digits_models, tmp_path)
    images = digits_models.validation["rotated"]
    with (
        RunningSidecar(write(tmp_path, settings(server, latency_ratio=3.0, in_flight=1))) as sidecar,
        live(sidecar, images),
    ):

        def held_back(ranking: ranking_pb2.Ranking) -> bool:
            reasons = {one.name: one.reason for one in ranking.candidates}
            return all("backs off" in reasons[name] for name in ("served", "again"))

        # One of them may miss half of the window a round before the other.
        ranking = sidecar.ranking_when(held_back)
        assert states(ranking)["served"] == states(ranking)["again"] == "UNAVAILABLE"
        assert "interference.latency_ratio allows 3" in ranking.candidates[-1].reason
        found = metrics(sidecar)
        assert found["pilotfish_shadow_backed_off", (ENDPOINT,)] == 1
        assert found["pilotfish_interference_latency_ratio", (ENDPOINT,)] > 3
        # Live requests and one of both candidates.
        assert server.most_at_once <= 2

        server.slowed = False
        ranking = sidecar.ranking_when(lambda ranking: "UNAVAILABLE" not in states(ranking).values())
        assert ranking.items > 0
        while metrics(sidecar)["pilotfish_shadow_backed_off", (ENDPOINT,)]:
            sidecar.ranking_when(lambda _: True)
        assert metrics(sidecar)["pilotfish_interference_latency_ratio", (ENDPOINT,)] <= 3


def test_bytes_are_bounded_and_without_a_ratio_nothing_is_watched(
    digits_models: DigitsModels, server: OneAtATime, tmp_path: Path
) -> None:
    write_profiles(digits_models, tmp_path)
    images = digits_models.validation["rotated"]
    server.slowed = False
    with (
        RunningSidecar(write(tmp_path, settings(server, bytes_per_second=8 * 64 * 4 * 20))) as sidecar,
        live(sidecar, images),
    ):
        start, before = time.monotonic(), server.calls["ModelInfer"]
        sidecar.scored(500)
        found = metrics(sidecar)
        assert found["pilotfish_shadow_backed_off", (ENDPOINT,)] == 0
        assert ("pilotfish_interference_latency_ratio", (ENDPOINT,)) not in found
        sent = server.calls["ModelInfer"] - before
        live_calls = found["pilotfish_requests_seen_total", (ENDPOINT,)]
        # Twenty batches of eight images a second, for both candidates together.
        assert sent - live_calls <= 20 * (time.monotonic() - start) + 2
