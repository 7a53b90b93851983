"""The demo's run: serves, sends three phases of traffic, and compares the rankings with the truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np
import tritonclient.grpc as triton
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc
from tritonclient.utils import InferenceServerException

from sidecar.config import load_config
from sidecar.core.errors import UnavailableError
from sidecar.core.tensors import Array
from sidecar.estimation.accuracy.ranks import spearman
from sidecar.estimation.ranking.score import regret
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.serving.app import Sidecar
from sidecar.tools.demo import digits
from sidecar.tools.demo.build import ENDPOINT, LATENCY, WINDOW_ITEMS

PHASES = ("upright", "rotated", "noisy")
_ITEMS = 800
_PER_SECOND = 160
_CATCH_UP_S = 30.0

Show = Callable[[str, ranking_pb2.Ranking], None]


@dataclass(frozen=True, slots=True)
class Phase:
    """The last ranking of a phase, and the truth."""

    name: str
    top: str
    best: str
    regret: float
    spearman: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Preferred:
    """The candidate that comes first in the first phase under a preference."""

    counts: str
    first: str
    accuracy: float
    latency_s: float
    broken: list[str]


class Demo:
    """A running sidecar, and a client that sends it digits."""

    def __init__(self, path: Path, seed: int) -> None:
        self._folder = path.parent
        self._digits = digits.load(seed)
        self._rng = np.random.default_rng([seed, len(digits.DOMAINS)])
        config = load_config(path)
        self._latencies = {one.name: one.objectives[LATENCY].value for one in config.endpoints[0].candidates}
        self.preferred: list[Preferred] = []
        self.sidecar = Sidecar(path, config)

    async def phase(self, domain: str, show: Show, ended: Show) -> Phase:
        """Sends the traffic of one phase, and compares the ranking at its end with the truth."""
        before = (await self.sidecar.board.newer(ENDPOINT, 0)).counters.items
        watch = asyncio.create_task(self._watch(domain, show))
        try:
            # A busy machine does not score all items: more are sent until the window holds only this phase.
            in_window = 0
            while in_window < WINDOW_ITEMS:
                images, labels = self._traffic(domain)
                await asyncio.to_thread(self._send, images)
                ranking, items = await self._caught_up()
                in_window = items - before
        finally:
            watch.cancel()
        ended(domain, ranking)
        if domain == PHASES[0]:
            self.preferred = await self._preferred()
        return self._judge(domain, ranking, images[-WINDOW_ITEMS:], labels[-WINDOW_ITEMS:])

    async def _preferred(self) -> list[Preferred]:
        """Asks for the newest ranking under several preferences, as a router would."""
        accuracy = ranking_pb2.Objective(name="accuracy")
        latency = ranking_pb2.Objective(name=LATENCY)
        slowest = max(self._latencies.values())
        bound = ranking_pb2.Constraint(objective=LATENCY, at_most=slowest / 2)
        asked = {
            "accuracy": ranking_pb2.Preference(objectives=[accuracy]),
            f"accuracy, {LATENCY}": ranking_pb2.Preference(objectives=[accuracy, latency]),
            f"accuracy, {LATENCY} <= {slowest / 2:.2g}": ranking_pb2.Preference(
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
        """Sends the traffic of the last phase again and again, slowly."""
        while True:
            images, _ = self._traffic(PHASES[-1])
            await asyncio.to_thread(self._send, images[:_PER_SECOND])

    def accounting(self) -> dict[str, int]:
        """Returns the numbers of requests, of which seen = sampled + skipped + dropped."""
        counts = self.sidecar.intake(ENDPOINT).counts
        return {
            "seen": counts.seen,
            "sampled": counts.sampled,
            "skipped": counts.skipped,
            "dropped": sum(counts.dropped.values()),
        }

    def _traffic(self, domain: str) -> tuple[Array, Array]:
        """Returns the items of a phase and their labels; no window holds an image twice."""
        images, labels = self._digits.live
        window = self._rng.permutation(len(images))[:WINDOW_ITEMS]
        chosen = np.tile(window, _ITEMS // WINDOW_ITEMS)
        return digits.seen_in(domain, (images[chosen], labels[chosen]), self._rng)

    def _send(self, images: Array) -> None:
        """Sends images at a steady pace, as an ordinary Open Inference Protocol client."""
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
                    raise UnavailableError(
                        f"the demo's own server did not answer a request: {error}: run the demo again"
                    ) from error

    async def _watch(self, domain: str, show: Show) -> None:
        version = 0
        while True:
            snapshot = await self.sidecar.board.newer(ENDPOINT, version)
            version = snapshot.version
            show(domain, snapshot.ranking)

    async def _caught_up(self) -> tuple[ranking_pb2.Ranking, int]:
        """Waits for a ranking of the whole window with all sampled requests; returns it and all items."""
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
            raise UnavailableError(
                f"the demo got no ranking of all items within {_CATCH_UP_S:g} s: use a less busy machine"
            ) from error

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
    """Serves and sends all phases; with `hold` it continues until it is cancelled.

    Args:
        path: path of the configuration that `build` wrote.
        seed: seed of the traffic.
        show: called with every ranking.
        ended: called with the last ranking of each phase.
        hold: called with the outcome before the demo continues.
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
    """Returns the demo's outcome as one JSON object."""
    return {
        "phases": [asdict(phase) for phase in phases],
        "preferred": [asdict(one) for one in demo.preferred],
        "accounting": demo.accounting(),
        "grpc": f"127.0.0.1:{demo.sidecar.grpc_port}",
        "http": f"127.0.0.1:{demo.sidecar.http.port}",
    }
