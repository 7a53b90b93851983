"""What real model servers have in common: a program of another environment that a test starts and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

# The models of digits that the servers serve in the tests, which have profiles too.
NAMES = ("upright", "rotated", "noisy", "thick")
_READY_S = 60.0


class ServerProcess:
    """`start`, `kill`, `start` again on the same ports; `kill` in the end, in whatever state.

    Args:
        command: of the program.
        environment: beside what an interpreter of another environment may inherit.
        ports: gRPC and HTTP.
        folder: the program's working directory, for its log too.
        models: that it serves when it is ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        ports: tuple[int, int],
        folder: Path,
        models: Sequence[str],
    ) -> None:
        self.port, self.http_port = ports
        self._command = list(command)
        # The server's interpreter is another one, with its own packages.
        kept = {
            name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
        }
        self._environment = {**kept, **environment}
        self._folder = folder
        self._log = folder / "server.log"
        self._models = models
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Starts the server and waits until it and its models are ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with grpc.insecure_channel(self.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            ends = time.monotonic() + _READY_S
            while not self._ready(stub):
                assert self._process.poll() is None, self._log.read_text()[-4000:]
                assert time.monotonic() < ends, self._log.read_text()[-4000:]
                time.sleep(0.1)

    def kill(self) -> None:
        """Ends the server at once, with all that it started; a second time does nothing."""
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

    def _ready(self, stub: service_pb2_grpc.GRPCInferenceServiceStub) -> bool:
        try:
            if not stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1).ready:
                return False
            asked = (service_pb2.ModelReadyRequest(name=name) for name in self._models)
            return all(stub.ModelReady(one, timeout=1).ready for one in asked)
        except grpc.RpcError:
            return False


def behind(server: ServerProcess, name: str, **more: object) -> dict[str, Any]:
    """A candidate's configuration: the server's model of that name."""
    return {
        "name": name,
        "profile": f"{name}.safetensors",
        "v2": {"url": server.address, "model": name, **more},
    }


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
