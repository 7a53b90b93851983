"""What the shadow loop costs beside bare inference of the same batches, onnxruntime's and tritonclient's.

`python -m benchmarks.shadow` asks a V2 server of its own that answers at once; with `--v2 HOST:PORT` one that
serves a digit model of the demo; with `--yielding` the loop gives the processor up as the scoring process
does. It exits 1 when a bar is missed.
"""

from __future__ import annotations

import os

# One thread, as in the sidecar.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import tritonclient.grpc as triton

from benchmarks.digit_models import images, train
from benchmarks.processes import listening
from benchmarks.round import CLASSES, TRAIN_ROWS, drawn, forest, network, profiled
from sidecar.config.schema import Endpoint
from sidecar.core.tensors import Array, Batch
from sidecar.costs.candidate import Costs
from sidecar.inference.onnx import OnnxModel
from sidecar.scoring.endpoint.scorer import EndpointScorer
from sidecar.scoring.runners.opening import OpenModels
from sidecar.scoring.yielding import resting, yield_often
from sidecar.tools.demo import digits

# Of the bare throughput, by the time in the model: statistics of the items are the measures' work.
HERE: Final = 0.9
BEHIND: Final = 0.85
# A pair takes its turns together, so that a bad second hits both alike.
PAIRS: Final = 100
_NO_LIMIT: Final = 1e6


@dataclass(frozen=True, slots=True)
class Times:
    """Of an item through the shadow loop: all in all, and in the model."""

    whole_s: float
    model_s: float


def main() -> int:
    """Prints the shares; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--v2", help="HOST:PORT of a server with the model below")
    parser.add_argument(
        "--model", default="upright", help="a digit model of the demo, as the server calls it"
    )
    parser.add_argument("--batch", type=int, default=32, help="items given to a model at once")
    parser.add_argument(
        "--yielding", action="store_true", help="as the scoring process does, in the loop only"
    )
    options = parser.parse_args()
    if options.yielding:
        yield_often()
    print(
        f"batches of {options.batch}; microseconds an item, median of {PAIRS} pairs; quartiles of the share"
    )
    print(f"{'model':<30}{'bare':>8}{'in the loop':>13}{'with statistics':>17}{'share':>8}{'quartiles':>16}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        met = all([*here(folder, options.batch), *behind(folder, options.v2, options.model, options.batch)])
    print(f"bars: {HERE:.0%} of onnxruntime, {BEHIND:.0%} of tritonclient: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def here(folder: Path, batch: int) -> Iterator[bool]:
    """Models in this process: whether each bar was met."""
    for name, features, made in (
        ("forest of 100 trees", 64, forest),
        ("image network, 5.6 MMAC", 3 * 32 * 32, network),
    ):
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(CLASSES, features))
        rows = drawn(rng, centres, TRAIN_ROWS, 0.0)
        path = profiled(folder / "m.onnx", rows, made(rows, 0))
        items, _ = drawn(rng, centres, 1024, 0.5)
        candidate = {
            "profile": path.with_suffix(".safetensors"),
            "onnx": {"path": path, "threads": 1, "batch": batch},
        }
        pairs = compared(partial(runs, OnnxModel(path), items, batch), loop(candidate, items, "X", batch))
        yield told(name, pairs, HERE)


def behind(folder: Path, address: str | None, model: str, batch: int) -> Iterator[bool]:
    """A model behind a server, with so many requests under way: whether each bar was met."""
    train(["upright"], folder)
    live = np.tile(images(), (8, 1))[:4096]
    with listening("benchmarks.upstream") as upstream:
        for in_flight in (1, 2, 4):
            v2 = {"url": address or upstream.address, "model": model, "batch": batch, "per_second": _NO_LIMIT}
            candidate = {"profile": folder / "upright.safetensors", "v2": {**v2, "in_flight": in_flight}}
            with triton.InferenceServerClient(v2["url"]) as client, ThreadPoolExecutor(in_flight) as threads:
                pairs = compared(
                    partial(calls, client, threads, model, live, batch),
                    loop(candidate, live, digits.INPUT, batch),
                )
            yield told(f"behind a server, {in_flight} in flight", pairs, BEHIND, at_once=in_flight)


def compared(bare: Callable[[], float], loop: Callable[[], Times]) -> list[tuple[float, Times]]:
    """Seconds an item, bare and through the loop, taken in turns."""
    bare()
    loop()
    return [(bare(), loop()) for _ in range(PAIRS)]


def told(name: str, pairs: list[tuple[float, Times]], bar: float, *, at_once: int = 1) -> bool:
    """Prints a line; whether the bar was met, with so many batches at once."""
    shares = [bare_s * at_once / loop.model_s for bare_s, loop in pairs]
    lower, share, upper = statistics.quantiles(shares, n=4)
    bare_us, model_us, whole_us = (
        statistics.median(times) * 1e6
        for times in zip(
            *((bare_s, loop.model_s / at_once, loop.whole_s) for bare_s, loop in pairs), strict=True
        )
    )
    print(
        f"{name:<30}{bare_us:>8.1f}{model_us:>13.1f}{whole_us:>17.1f}{share:>8.2f}"
        f"{f'{lower:.2f} .. {upper:.2f}':>16}"
    )
    return share >= bar


def loop(candidate: dict[str, Any], items: Array, tensor: str, batch: int) -> Callable[[], Times]:
    """Lets an endpoint's only candidate answer the items, which come in batches."""

    def answered() -> Times:
        endpoint = Endpoint.model_validate(
            {
                "name": "shadow",
                "incumbent": "m",
                "candidates": [{"name": "m", **candidate}],
                "window": {"items": len(items), "bytes": 1 << 30},
            }
        )
        scorer = EndpointScorer(
            endpoint, open_model=OpenModels(), costs=Costs(shadow_threads=1), clock=time.monotonic
        )
        scorer.load()
        (one,) = scorer.candidates
        batches = [
            Batch(inputs={tensor: items[start : start + batch]}, outputs={})
            for start in range(0, len(items), batch)
        ]
        # The bare client is connected too, and knows what the model is.
        scorer.keep(batches[0])
        scorer.catch_up()
        first, first_s = one.items, one.shadow_s
        for other in batches[1:]:
            scorer.keep(other)
        start_s = time.perf_counter()
        scorer.catch_up()
        seconds = time.perf_counter() - start_s
        if one.items != len(items):
            raise RuntimeError(one.reason)
        scorer.close()
        rest = len(items) - first
        return Times(seconds / rest, (one.shadow_s - first_s) / rest)

    return answered


@resting()
def runs(model: OnnxModel, items: Array, batch: int) -> float:
    """Seconds an item of the bare session."""
    start_s = time.perf_counter()
    for start in range(0, len(items), batch):
        model._session.run(None, {"X": items[start : start + batch]})  # noqa: SLF001 - the bare session
    return (time.perf_counter() - start_s) / len(items)


@resting()
def calls(client: Any, threads: ThreadPoolExecutor, model: str, items: Array, batch: int) -> float:  # noqa: ANN401 - it has no types
    """Seconds an item of a bare client that has as many calls under way."""
    output = triton.InferRequestedOutput("probabilities")

    def call(start: int) -> None:
        part = items[start : start + batch]
        tensor = triton.InferInput(digits.INPUT, list(part.shape), "FP32")
        tensor.set_data_from_numpy(part)
        client.infer(model, [tensor], outputs=[output]).as_numpy("probabilities")

    start_s = time.perf_counter()
    list(threads.map(call, range(0, len(items), batch)))
    return (time.perf_counter() - start_s) / len(items)


if __name__ == "__main__":
    sys.exit(main())
