"""A whole sidecar on its own event loop in a thread, over digit models, and clients to talk to it."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import tritonclient.grpc as triton
import uvloop
import yaml
from pilotfish.v1 import (
    candidate_pb2_grpc,
    performance_pb2_grpc,
    ranking_pb2,
    ranking_pb2_grpc,
    traffic_pb2_grpc,
)
from prometheus_client.parser import text_string_to_metric_families

from sidecar.config import load_config
from sidecar.core.tensors import Array
from sidecar.formats.profile import write_profile
from sidecar.inference.onnx import OnnxModel
from sidecar.serving.app import Sidecar
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows
from tests.support.models import DigitsModels

WAIT_S = 60.0
GRACE_S = 10
ENDPOINT = "digits"
LABELS = ("capture", "endpoint", "candidate", "reason", "listen")


def write_profiles(models: DigitsModels, folder: Path) -> None:
    """Builds NAME.safetensors beside a copy of NAME.onnx for every digit model."""
    for name, source in models.paths.items():
        path = folder / f"{name}.onnx"
        path.write_bytes(source.read_bytes())
        np.savez(folder / f"{name}.npz", X=models.train[name], y=models.train_labels)
        np.savez(folder / f"{name}-val.npz", X=models.validation[name], y=models.validation_labels)
        model = OnnxModel(path)
        profile = build_profile(
            model,
            open_rows(folder / f"{name}.npz", model.inputs, label="y"),
            open_rows(folder / f"{name}-val.npz", model.inputs, label="y"),
            output="probabilities",
            classes=models.classes,
            partition_rows=100,
            seed=0,
            progress=lambda _: None,
        )
        write_profile(profile, folder / f"{name}.safetensors")


def candidate(name: str, onnx: str | None = None, profile: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "profile": f"{profile or name}.safetensors",
        "onnx": {"path": f"{onnx or name}.onnx"},
    }


def configuration(**endpoint: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    defaults: dict[str, Any] = {
        "name": ENDPOINT,
        "capture": [{"proxy": {"listen": "127.0.0.1:0"}}],
        "sample": {"fraction": 1.0, "max_per_second": 100000},
        "incumbent": "upright",
        "candidates": [candidate("upright"), candidate("rotated")],
        "ranking": {"every": "50ms"},
    }
    return {
        "endpoints": [defaults | endpoint],
        "serve": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "grace": f"{GRACE_S}s"},
        "scoring": {"cpu_share": 1.0, "priority": "low"},
        "log": {"level": "error"},
    }


def write(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "pilotfish.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


class RunningSidecar:
    """Everything that touches the sidecar's own objects runs on its loop, by `on_loop`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sidecar = Sidecar(path, load_config(path))
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.on_loop(self.sidecar.start())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.sidecar.grpc_port}")
        self.rankings = ranking_pb2_grpc.RankingServiceStub(self.channel)
        self.candidates = candidate_pb2_grpc.CandidateServiceStub(self.channel)
        self.performance = performance_pb2_grpc.PerformanceServiceStub(self.channel)
        self.traffic = traffic_pb2_grpc.TrafficServiceStub(self.channel)
        self.http = f"http://127.0.0.1:{self.sidecar.http.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()
        self.on_loop(self.sidecar.close())
        self.on_loop(self.sidecar.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def proxy(self) -> str:
        return self.sidecar.listeners.addresses[ENDPOINT]

    def on_loop(self, task: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(WAIT_S)

    def ranking_when(self, true: Callable[[ranking_pb2.Ranking], bool]) -> ranking_pb2.Ranking:
        """Watches until a ranking is as asked for."""
        stream = self.rankings.WatchRanking(
            ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT, every_round=True), timeout=WAIT_S
        )
        for response in stream:
            if true(response.ranking):
                stream.cancel()
                return response.ranking
        raise AssertionError("the stream ended")

    def scored(self, items: int) -> None:
        """Waits until so many items entered the window and were ranked."""

        async def wait() -> None:
            version, entered = 0, -1
            while entered < items:
                snapshot = await self.sidecar.board.newer(ENDPOINT, version)
                version, entered = snapshot.version, snapshot.counters.items

        self.on_loop(wait())

    def explain(self, name: str) -> ranking_pb2.ExplainCandidateResponse:
        return self.rankings.ExplainCandidate(
            ranking_pb2.ExplainCandidateRequest(endpoint=ENDPOINT, candidate=name), timeout=WAIT_S
        )

    def send(self, images: Array, model: str = ENDPOINT) -> list[Array]:
        """One request an image; returns the probabilities that came back."""
        with triton.InferenceServerClient(self.proxy) as client:
            return [infer(client, image[None], model) for image in images]


def infer(client: Any, images: Array, model: str = ENDPOINT) -> Array:  # noqa: ANN401 - it has no types
    tensor = triton.InferInput("X", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    return np.asarray(client.infer(model, [tensor], client_timeout=WAIT_S).as_numpy("probabilities"))


@contextmanager
def running(folder: Path, **endpoint: Any) -> Iterator[RunningSidecar]:  # noqa: ANN401 - YAML
    with RunningSidecar(write(folder, configuration(**endpoint))) as sidecar:
        yield sidecar


def metrics(sidecar: RunningSidecar) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"{sidecar.http}/metrics", timeout=WAIT_S) as response:
        text = response.read().decode()
    return {
        (sample.name, tuple(sample.labels[key] for key in LABELS if key in sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def states(ranking: ranking_pb2.Ranking) -> dict[str, str]:
    return {one.name: ranking_pb2.State.Name(one.state).removeprefix("STATE_") for one in ranking.candidates}
