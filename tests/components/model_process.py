"""A small V2 model server as a process: `python -m tests.components.model_process MODEL PORT`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from sidecar.inference.onnx import OnnxModel
from tests.support.model_server import ModelServer


def main(model: str, port: str) -> None:
    """Serves one ONNX model until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server = ModelServer(OnnxModel(Path(model)))
    server.port = int(port)
    server.start()
    signal.sigwait([signal.SIGTERM])
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
