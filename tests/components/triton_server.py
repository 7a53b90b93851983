"""A real Triton Inference Server over a folder of ONNX models, started and killed by a test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

PYTHON = "PILOTFISH_TRITON_PYTHON"
# The models of digits that it serves in the tests, which have profiles too.
NAMES = ("upright", "rotated", "noisy", "thick")
_READY_S = 60.0

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
            images = utils.get_input_tensor_by_name(request, "image").as_numpy()
            answer = self.session.run(["probabilities"], {"image": images})[0]
            output = utils.Tensor("probabilities", answer.astype(np.float32))
            responses.append(utils.InferenceResponse([output]))
        return responses
"""
_CONFIG = """
backend: "python"
max_batch_size: 16
input [{ name: "image" data_type: TYPE_FP32 dims: [64] }]
output [{ name: "probabilities" data_type: TYPE_FP32 dims: [10] }]
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


class TritonServer:
    """`start`, `kill`, `start` again on the same ports; `kill` in the end, in whatever state."""

    def __init__(self, models: Mapping[str, Path], folder: Path, *, streaming: str = "") -> None:
        """Writes a model repository.

        Args:
            models: ONNX files with input `image` [64] and output `probabilities` [10], by name.
            folder: for the repository and the server's log.
            streaming: the one among them that is to be decoupled.
        """
        python = os.environ.get(PYTHON)
        assert python, (
            f"{PYTHON} must name the interpreter of an environment with nvidia-pytriton, onnxruntime"
        )
        found = subprocess.run([python, "-c", _WHERE], check=True, capture_output=True, text=True)  # noqa: S603 - the interpreter that we were given
        where = json.loads(found.stdout)
        self.port, self._http, self._metrics = _free_ports(3)
        self._log = folder / "triton.log"
        self._process: subprocess.Popen[bytes] | None = None
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
            (version.parent / "config.pbtxt").write_text(_CONFIG + _STREAMING * (name == streaming))
        self._command = [
            str(server / "bin/tritonserver"),
            f"--model-repository={folder / 'models'}",
            f"--backend-directory={backend.parent}",
            *(f"--{port}-address=127.0.0.1" for port in ("http", "grpc", "metrics")),
            f"--grpc-port={self.port}",
            f"--http-port={self._http}",
            f"--metrics-port={self._metrics}",
            "--allow-gpu-metrics=false",
            "--model-control-mode=explicit",
            "--load-model=*",
        ]
        libraries = f"{where['lib']}:{where['site']}/nvidia_pytriton.libs"
        path = f"{Path(python).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "LD_LIBRARY_PATH": libraries}
        # Triton's interpreter is another one, with its own packages.
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            self._environment.pop(name, None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the server and waits until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        with grpc.insecure_channel(self.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            ends = time.monotonic() + _READY_S
            while not _ready(stub):
                assert self._process.poll() is None, self._log.read_text()[-4000:]
                assert time.monotonic() < ends, self._log.read_text()[-4000:]
                time.sleep(0.1)

    def kill(self) -> None:
        """Ends the server at once, with its backends; a second time does nothing."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Lets the server hang: its connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Ends `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)


def behind(triton: TritonServer, name: str, **more: object) -> dict[str, Any]:
    """A candidate's configuration: the server's model of that name."""
    return {
        "name": name,
        "profile": f"{name}.safetensors",
        "v2": {"url": triton.address, "model": name, **more},
    }


def _ready(stub: service_pb2_grpc.GRPCInferenceServiceStub) -> bool:
    try:
        return bool(stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1).ready)
    except grpc.RpcError:
        return False


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
