"""A real MLServer over a folder of ONNX models, which a runtime of our own runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.components.programs import named
from tests.components.server_process import ServerProcess, free_ports

PYTHON = "PILOTFISH_MLSERVER_PYTHON"

_RUNTIME = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Onnx(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload):
        images = NumpyCodec.decode_input(payload.inputs[0])
        answer = self.session.run(["probabilities"], {"image": images})[0]
        output = NumpyCodec.encode_output("probabilities", answer)
        return InferenceResponse(id=payload.id, model_name=self.name, outputs=[output])
"""
_TENSORS = {
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 64]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
}


class MLServer(ServerProcess):
    """Its models are in this process of its own: no parallel workers."""

    def __init__(self, models: Mapping[str, Path], folder: Path, *, told: str = "") -> None:
        """Writes a model repository.

        Args:
            models: ONNX files with input `image` [64] and output `probabilities` [10], by name.
            folder: for the repository and the server's log.
            told: the one among them whose settings name its tensors.
        """
        python = named(PYTHON, "bin/python beside mlserver and onnxruntime")
        grpc, http, metrics = free_ports(3)
        settings = {
            "host": "127.0.0.1",
            "http_port": http,
            "grpc_port": grpc,
            "metrics_port": metrics,
            "parallel_workers": 0,
            "debug": False,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        for name, path in models.items():
            place = folder / name
            place.mkdir()
            shutil.copy(path, place / "model.onnx")
            (place / "runtime.py").write_text(_RUNTIME)
            model = {
                "name": name,
                "implementation": "runtime.Onnx",
                "parameters": {"uri": str(place / "model.onnx")},
                **(_TENSORS if name == told else {}),
            }
            (place / "model-settings.json").write_text(json.dumps(model))
        command = [str(Path(python).with_name("mlserver")), "start", str(folder)]
        super().__init__(command, {}, ports=(grpc, http), folder=folder, models=tuple(models))
