"""Small real models for the benchmarks: digit classifiers with their profiles, and traffic for them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2

from sidecar.core.tensors import Array
from sidecar.tools.demo import digits
from sidecar.tools.demo.build import train_and_profile

MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
_SEED = 0
_REQUESTS = 200


def train(domains: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Leaves DOMAIN.onnx and DOMAIN.safetensors in the folder; the candidates' configuration."""
    data = digits.load(_SEED)
    for domain in domains:
        train_and_profile(domain, data, folder, _SEED)
    return [candidate(domain) for domain in domains]


def candidate(name: str) -> dict[str, Any]:
    """A candidate's configuration, by its files' name."""
    return {"name": name, "profile": f"{name}.safetensors", "onnx": {"path": f"{name}.onnx"}}


def copies(domain: str, number: int, folder: Path) -> list[dict[str, Any]]:
    """The same model under so many names."""
    for index in range(number):
        for suffix in (".onnx", ".safetensors"):
            shutil.copyfile(folder / f"{domain}{suffix}", folder / f"{domain}-{index}{suffix}")
    return [candidate(f"{domain}-{index}") for index in range(number)]


def images() -> Array:
    """Digits that no model was trained on, float32 [images, 64]."""
    return digits.load(_SEED).live[0].astype(np.float32)


def infer_requests(model: str, rows: int) -> Iterator[bytes]:
    """Serialised ModelInfer requests of so many images each, without end."""
    live = images()
    made = []
    for number in range(_REQUESTS):
        chosen = live[np.arange(number * rows, (number + 1) * rows) % len(live)]
        tensor = service_pb2.ModelInferRequest.InferInputTensor(
            name=digits.INPUT, datatype="FP32", shape=chosen.shape
        )
        request = service_pb2.ModelInferRequest(
            model_name=model, inputs=[tensor], raw_input_contents=[chosen.tobytes()]
        )
        made.append(request.SerializeToString())
    return itertools.cycle(made)
