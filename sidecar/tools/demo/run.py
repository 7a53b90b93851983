"""The demo's course: build, serve, send three phases of traffic, tell how good the rankings were."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np
import tritonclient.grpc as triton
import yaml
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc
from tritonclient.utils import InferenceServerException

from sidecar.config import load_config
from sidecar.core.errors import UnavailableError
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.ranks import spearman
from sidecar.estimation.ranking.score import regret
from sidecar.formats.profile import write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.serving.app import Sidecar
from sidecar.tools.demo import digits
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

ENDPOINT = "digits"
PHASES = ("upright", "rotated", "noisy")
_ITEMS = 800
_WINDOW_ITEMS = 400
_PER_SECOND = 160
_CATCH_UP_S = 30.0
_LATENCY = "latency_p50_s"
# Single images that a candidate is timed with, and parts of them whose medians tell how sure that is.
_RUNS = 400
_PARTS = 8

Show = Callable[[str, ranking_pb2.Ranking], None]


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase's last ranking said and what was true."""

    name: str
    top: str
    best: str
    regret: float
    spearman: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Preferred:
    """What comes first in the first phase's ranking when something else counts."""

    counts: str
    first: str
    accuracy: float
    latency_s: float
    broken: list[str]


def build(folder: Path, seed: int, told: Callable[[str], None]) -> Path:
    """Trains and profiles the candidates; returns the configuration file."""
    data = digits.load(seed)
    candidates = []
    for source in digits.CANDIDATES:
        told(source)
        digits.train(source, data, folder, seed)
        model = OnnxModel(folder / f"{source}.onnx")
        profile = build_profile(
            model,
            open_rows(folder / f"{source}-train.npz", model.inputs, label="label"),
            open_rows(folder / f"{source}-validation.npz", model.inputs, label="label"),
            output=class_output(model),
            classes=digits.CLASSES,
            partition_rows=100,
            seed=seed,
            progress=lambda _: None,
        )
        write_profile(profile, folder / f"{source}.safetensors")
        candidates.append(
            {
                "name": f"digits-{source}",
                "profile": f"{source}.safetensors",
                "onnx": {"path": f"{source}.onnx"},
                "objectives": {_LATENCY: _timed(model, data.live[0])},
            }
        )
    endpoint = {
        "name": ENDPOINT,
        "capture": [{"proxy": {"listen": "127.0.0.1:0"}}],
        "sample": {"fraction": 1.0, "max_per_second": 1000},
        "window": {"items": _WINDOW_ITEMS},
        "incumbent": candidates[0]["name"],
        "candidates": candidates,
        "ranking": {"every": "500ms"},
    }
    config = {
        "endpoints": [endpoint],
        "serve": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "grace": "1s"},
        "log": {"level": "warning", "format": "console"},
    }
    path = folder / "pilotfish.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _timed(model: OnnxModel, images: Array) -> dict[str, float]:
    """Runs the model on single images; its median time, and the range of the medians of parts of the runs."""
    seconds = np.empty(_RUNS)
    for number in range(_RUNS):
        image = images[number % len(images)][None].astype(np.float32)
        start = time.perf_counter()
        model.run({digits.INPUT: image})
        seconds[number] = time.perf_counter() - start
    medians = np.median(seconds.reshape(_PARTS, -1), axis=1)
    return {
        "value": float(np.median(seconds)),
        "low": float(medians.min()),
        "high": float(medians.max()),
    }


class Demo:
    """A running sidecar and a client that sends it digits."""

    def __init__(self, path: Path, seed: int) -> None:
        self._folder = path.parent
        self._digits = digits.load(seed)
        self._rng = np.random.default_rng([seed, len(digits.DOMAINS)])
        config = load_config(path)
        self._latencies = {one.name: one.objectives[_LATENCY].value for one in config.endpoints[0].candidates}
        self.preferred: list[Preferred] = []
        self.sidecar = Sidecar(path, config)

    async def phase(self, domain: str, show: Show, ended: Show) -> Phase:
        """Sends one phase's traffic and judges the ranking at its end."""
        before = (await self.sidecar.board.newer(ENDPOINT, 0)).counters.items
        watch = asyncio.create_task(self._watch(domain, show))
        try:
            # On a machine too busy to score all of it, more is sent until the window holds nothing else.
            in_window = 0
            while in_window < _WINDOW_ITEMS:
                images, labels = self._traffic(domain)
                await asyncio.to_thread(self._send, images)
                ranking, items = await self._caught_up()
                in_window = items - before
        finally:
            watch.cancel()
        ended(domain, ranking)
        if domain == PHASES[0]:
            self.preferred = await self._preferred()
        return self._judge(domain, ranking, images[-_WINDOW_ITEMS:], labels[-_WINDOW_ITEMS:])

    async def _preferred(self) -> list[Preferred]:
        """Asks for the newest ranking by what else may count, as a router would."""
        accuracy = ranking_pb2.Objective(name="accuracy")
        latency = ranking_pb2.Objective(name=_LATENCY)
        slowest = max(self._latencies.values())
        bound = ranking_pb2.Constraint(objective=_LATENCY, at_most=slowest / 2)
        asked = {
            "accuracy": ranking_pb2.Preference(objectives=[accuracy]),
            f"accuracy, {_LATENCY}": ranking_pb2.Preference(objectives=[accuracy, latency]),
            f"accuracy, {_LATENCY} <= {slowest / 2:.2g}": ranking_pb2.Preference(
                objectives=[accuracy], constraints=[bound]
            ),
        }
        found = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.sidecar.grpc_port}") as channel:
            rankings = ranking_pb2_grpc.RankingServiceStub(channel)
            for counts, preference in asked.items():
                response = await rankings.GetRanking(
                    ranking_pb2.GetRankingRequest(endpoint=ENDPOINT, preference=preference)
                )
                candidates = response.ranking.candidates
                first = candidates[0]
                found.append(
                    Preferred(
                        counts=counts,
                        first=first.name,
                        accuracy=round(first.accuracy.value, 3),
                        latency_s=self._latencies[first.name],
                        broken=[
                            one.name for one in candidates if one.state == ranking_pb2.STATE_BREAKS_CONSTRAINT
                        ],
                    )
                )
        return found

    async def hold(self) -> None:
        """Keeps sending the last phase's traffic, slowly."""
        while True:
            images, _ = self._traffic(PHASES[-1])
            await asyncio.to_thread(self._send, images[:_PER_SECOND])

    def accounting(self) -> dict[str, int]:
        """What became of the requests: seen = sampled + skipped + dropped."""
        counts = self.sidecar.intake(ENDPOINT).counts
        return {
            "seen": counts.seen,
            "sampled": counts.sampled,
            "skipped": counts.skipped,
            "dropped": sum(counts.dropped.values()),
        }

    def _traffic(self, domain: str) -> tuple[Array, Array]:
        """As many items as a phase has; no window holds an image twice."""
        images, labels = self._digits.live
        window = self._rng.permutation(len(images))[:_WINDOW_ITEMS]
        chosen = np.tile(window, _ITEMS // _WINDOW_ITEMS)
        return digits.seen_in(domain, (images[chosen], labels[chosen]), self._rng)

    def _send(self, images: Array) -> None:
        """An ordinary Open Inference Protocol client, at a steady pace."""
        address = self.sidecar.listeners.addresses[ENDPOINT]
        with triton.InferenceServerClient(address) as client:
            start = time.monotonic()
            for number, image in enumerate(images):
                time.sleep(max(start + number / _PER_SECOND - time.monotonic(), 0))
                tensor = triton.InferInput(digits.INPUT, [1, image.size], "FP32")
                tensor.set_data_from_numpy(image[None])
                try:
                    client.infer(ENDPOINT, [tensor])
                except InferenceServerException as error:
                    raise UnavailableError(f"the demo's request failed: {error}") from error

    async def _watch(self, domain: str, show: Show) -> None:
        version = 0
        while True:
            snapshot = await self.sidecar.board.newer(ENDPOINT, version)
            version = snapshot.version
            show(domain, snapshot.ranking)

    async def _caught_up(self) -> tuple[ranking_pb2.Ranking, int]:
        """The first ranking over all of the window after everything sampled came, and how many items did."""
        version = 0
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                while True:
                    snapshot = await self.sidecar.board.newer(ENDPOINT, version)
                    version = snapshot.version
                    counters, sampled = snapshot.counters, self.sidecar.intake(ENDPOINT).counts.sampled
                    all_came = counters.items + sum(counters.requests_rejected.values()) >= sampled
                    if all_came and snapshot.ranking.items == counters.window_items:
                        return snapshot.ranking, counters.items
        except TimeoutError as error:
            raise UnavailableError(f"no ranking of all items within {_CATCH_UP_S:g} s") from error

    def _judge(self, domain: str, ranking: ranking_pb2.Ranking, images: Array, labels: Array) -> Phase:
        ranked = [one for one in ranking.candidates if one.rank]
        truth = np.array([self._accuracy(one.name, images, labels) for one in ranked])
        estimates = np.array([one.accuracy.value for one in ranked])
        correlation = spearman(estimates, truth)
        return Phase(
            name=domain,
            top=ranked[0].name,
            best=ranked[int(truth.argmax())].name,
            regret=round(regret(truth, 0), 4),
            spearman=None if correlation is None else round(correlation, 3),
            state=ranking_pb2.State.Name(ranking.state).removeprefix("STATE_"),
        )

    def _accuracy(self, name: str, images: Array, labels: Array) -> float:
        model = OnnxModel(self._folder / f"{name.removeprefix('digits-')}.onnx")
        probabilities = model.run({digits.INPUT: images})[class_output(model)]
        return float(np.mean(probabilities.argmax(axis=1) == labels))


async def run(
    path: Path, seed: int, show: Show, ended: Show, hold: Callable[[Demo, list[Phase]], None] | None
) -> tuple[Demo, list[Phase]]:
    """Serves, sends all phases, and with `hold` goes on until it is cancelled.

    Args:
        path: the configuration that `build` wrote.
        seed: of the traffic.
        show: told every ranking.
        ended: told each phase's last ranking.
        hold: told the outcome before the demo goes on.
    """
    demo = Demo(path, seed)
    try:
        await demo.sidecar.start()
        await demo.sidecar.board.newer(ENDPOINT, 0)
        phases = [await demo.phase(domain, show, ended) for domain in PHASES]
        if hold is not None:
            hold(demo, phases)
            await demo.hold()
    finally:
        await demo.sidecar.close()
    return demo, phases


def as_json(demo: Demo, phases: list[Phase]) -> dict[str, object]:
    """The demo's outcome as one object."""
    return {
        "phases": [asdict(phase) for phase in phases],
        "preferred": [asdict(one) for one in demo.preferred],
        "accounting": demo.accounting(),
        "grpc": f"127.0.0.1:{demo.sidecar.grpc_port}",
        "http": f"127.0.0.1:{demo.sidecar.http.port}",
    }
