"""The demo's candidates and configuration: trains, profiles and times the models in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from sidecar.core.tensors import Array
from sidecar.formats.profile import write_profile
from sidecar.inference.onnx import OnnxModel, class_output
from sidecar.tools.demo import digits
from sidecar.tools.profiles.build import build_profile
from sidecar.tools.profiles.data import open_rows

ENDPOINT: Final = "digits"
WINDOW_ITEMS: Final = 400
LATENCY: Final = "latency_p50_s"
# A candidate is timed with so many runs of single images. The medians of so many parts of the runs give the
# range of its latency.
_RUNS: Final = 400
_PARTS: Final = 8


def train_and_profile(source: str, data: digits.Digits, folder: Path, seed: int) -> OnnxModel:
    """Trains a candidate and returns it; writes SOURCE.onnx and SOURCE.safetensors into the folder."""
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
    return model


def build(folder: Path, seed: int, told: Callable[[str], None]) -> Path:
    """Trains and profiles the candidates; returns the path of the configuration file."""
    data = digits.load(seed)
    candidates = []
    for source in digits.CANDIDATES:
        told(source)
        model = train_and_profile(source, data, folder, seed)
        candidates.append(
            {
                "name": f"digits-{source}",
                "profile": f"{source}.safetensors",
                "onnx": {"path": f"{source}.onnx"},
                "objectives": {LATENCY: _timed(model, data.live[0])},
            }
        )
    endpoint = {
        "name": ENDPOINT,
        "capture": [{"proxy": {"listen": "127.0.0.1:0"}}],
        "sample": {"fraction": 1.0, "max_per_second": 1000},
        "window": {"items": WINDOW_ITEMS},
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
    """Returns the median time of a run on one image, and the range of the medians of parts of the runs."""
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
