"""A real KServe Python server over ONNX models."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.components.programs import named
from tests.components.server_process import ServerProcess, free_ports

PYTHON = "PILOTFISH_KSERVE_PYTHON"

# KServe binds all interfaces and has no option for that, so both of its servers are told otherwise here.
_PROGRAM = """
import sys

import grpc.aio._server
import onnxruntime
import uvicorn
from kserve import InferOutput, InferResponse, Model, ModelServer

listen = grpc.aio._server.Server.add_insecure_port
grpc.aio._server.Server.add_insecure_port = lambda self, address: listen(
    self, address.replace("[::]", "127.0.0.1")
)


class Loopback(uvicorn.Config):
    def __init__(self, app, **options):
        super().__init__(app, **{**options, "host": "127.0.0.1"})


uvicorn.Config = Loopback


class Onnx(Model):
    def __init__(self, path):
        super().__init__(path.rpartition("/")[2].removesuffix(".onnx"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.ready = True

    def predict(self, payload, headers=None):
        images = payload.inputs[0].as_numpy()
        answer = self.session.run(["probabilities"], {"image": images})[0]
        output = InferOutput(name="probabilities", shape=list(answer.shape), datatype="FP32")
        output.set_data_from_numpy(answer, binary_data=False)
        return InferResponse(
            response_id=payload.id or "",
            model_name=self.name,
            infer_outputs=[output],
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


grpc_port, http_port, *paths = sys.argv[1:]
ModelServer(grpc_port=int(grpc_port), http_port=int(http_port), enable_latency_logging=False).start(
    [Onnx(path) for path in paths]
)
"""


class KServe(ServerProcess):
    """Every file is a model of its own name."""

    def __init__(self, models: Mapping[str, Path], folder: Path) -> None:
        """Writes the program.

        Args:
            models: ONNX files with input `image` [64] and output `probabilities` [10], by name.
            folder: for the program and the server's log.
        """
        python = str(named(PYTHON, "bin/python beside kserve and onnxruntime"))
        grpc, http = free_ports(2)
        (folder / "server.py").write_text(_PROGRAM)
        paths = [folder / f"{name}.onnx" for name in models]
        for path in paths:
            shutil.copy(models[path.stem], path)
        command = [python, "server.py", str(grpc), str(http), *map(str, paths)]
        super().__init__(command, {}, ports=(grpc, http), folder=folder, models=tuple(models))
