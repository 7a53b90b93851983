"""A real Triton Inference Server over a folder of ONNX models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.components.programs import named
from tests.components.server_process import ServerProcess, free_ports

PYTHON = "PILOTFISH_TRITON_PYTHON"

# The Python backend is the one that is bundled and runs on a processor.
_BACKEND = """
import os
import numpy as np
import onnxruntime
import triton_python_backend_utils as utils


class TritonPythonModel:
    def initialize(self, args):
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        responses = []
        for request in requests:
            given = self.session.get_inputs()[0]
            items = utils.get_input_tensor_by_name(request, given.name).as_numpy()
            if items.dtype == object:
                items = np.array([text.decode() for text in items.ravel()], object).reshape(items.shape)
            answer = self.session.run(["probabilities"], {given.name: items})[0]
            output = utils.Tensor("probabilities", answer.astype(np.float32))
            responses.append(utils.InferenceResponse([output]))
        return responses
"""
# What the models take and give.
IMAGES = """
input [{ name: "image" data_type: TYPE_FP32 dims: [64] }]
output [{ name: "probabilities" data_type: TYPE_FP32 dims: [10] }]
"""
_CONFIG = """
backend: "python"
max_batch_size: 16
instance_group [{ kind: KIND_CPU count: 1 }]
"""
_STREAMING = "model_transaction_policy { decoupled: true }\n"
_WHERE = """
import json, pathlib, sys, sysconfig, pytriton
print(json.dumps({
    "server": str(pathlib.Path(pytriton.__file__).parent / "tritonserver"),
    "site": sysconfig.get_path("purelib"),
    "lib": sysconfig.get_config_var("LIBDIR"),
    "version": f"{sys.version_info.major}.{sys.version_info.minor}",
}))
"""


class TritonServer(ServerProcess):
    """Its models are loaded and unloaded through its repository API."""

    def __init__(
        self, models: Mapping[str, Path], folder: Path, *, streaming: str = "", tensors: str = IMAGES
    ) -> None:
        """Writes a model repository.

        Args:
            models: ONNX files with one input and the output `probabilities`, by name.
            folder: for the repository and the server's log.
            streaming: the one among them that is to be decoupled.
            tensors: inputs and outputs of every model, as in `config.pbtxt`.
        """
        python = named(PYTHON, "bin/python beside nvidia-pytriton and onnxruntime")
        found = subprocess.run([python, "-c", _WHERE], check=True, capture_output=True, text=True)  # noqa: S603 - the interpreter that we were given
        where = json.loads(found.stdout)
        port, http, metrics = free_ports(3)
        self._prefix = f"pilotfish_test_{uuid.uuid4().hex}"
        server = Path(where["server"])
        backend = folder / "backends" / "python"
        backend.mkdir(parents=True)
        for file in (
            server / "backends/python/libtriton_python.so",
            server / "backends/python/triton_python_backend_utils.py",
            server / "python_backend_stubs" / where["version"] / "triton_python_backend_stub",
        ):
            shutil.copy(file, backend)
        for name, model in models.items():
            version = folder / "models" / name / "1"
            version.mkdir(parents=True)
            shutil.copy(model, version / "model.onnx")
            (version / "model.py").write_text(_BACKEND)
            (version.parent / "config.pbtxt").write_text(_CONFIG + tensors + _STREAMING * (name == streaming))
        command = [
            str(server / "bin/tritonserver"),
            f"--model-repository={folder / 'models'}",
            f"--backend-directory={backend.parent}",
            *(f"--{of}-address=127.0.0.1" for of in ("http", "grpc", "metrics")),
            f"--grpc-port={port}",
            f"--http-port={http}",
            f"--metrics-port={metrics}",
            "--allow-gpu-metrics=false",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            "--model-control-mode=explicit",
            "--load-model=*",
        ]
        environment = {
            "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{where['lib']}:{where['site']}/nvidia_pytriton.libs",
        }
        super().__init__(command, environment, ports=(port, http), folder=folder, models=())

    def kill(self) -> None:
        """Ends it, and removes the memory that its backends leave when they are killed."""
        super().kill()
        for path in Path("/dev/shm").glob(f"{self._prefix}*"):  # noqa: S108 - where Linux has it
            path.unlink()
