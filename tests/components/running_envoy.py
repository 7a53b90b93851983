"""A real Envoy with a configuration of its own, on free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from sidecar.tools.cli import app

WAIT_S = 30.0


class RunningEnvoy:
    """Runs until the context is left. Starts in the test's own thread: Envoy ends with its parent thread."""

    def __init__(self, program: Path, config: Mapping[str, Any], folder: Path) -> None:
        admin = config["admin"]["address"]["socket_address"]
        listener = config["static_resources"]["listeners"][0]["address"]["socket_address"]
        self.address = f"127.0.0.1:{listener['port_value']}"
        self.admin = f"127.0.0.1:{admin['port_value']}"
        path = folder / "envoy.yaml"
        path.write_text(yaml.safe_dump(dict(config)))
        self._command = [
            str(program),
            "-c",
            str(path),
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "error",
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command)  # noqa: S603 - the program that is tested with
        end = time.monotonic() + WAIT_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self._stop()
                raise AssertionError("Envoy did not start; what it printed stands above")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def counters(self, prefix: str) -> dict[str, int]:
        """Envoy's own counts that are not 0, by what comes behind the prefix."""
        with urllib.request.urlopen(f"http://{self.admin}/stats?usedonly", timeout=WAIT_S) as response:
            lines = response.read().decode().splitlines()
        found = (line.removeprefix(prefix).split(": ") for line in lines if line.startswith(prefix))
        return {name: int(value) for name, value in found if value.isdigit()}

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://{self.admin}/ready", timeout=1).status == 200)
        return False

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def printed(
    path: Path, kind: str, upstream: str, capsys: pytest.CaptureFixture[str], fraction: float = 1.0
) -> dict[str, Any]:
    """What `pilotfish envoy` prints for a configuration file's capture of that kind."""
    words = f"--capture {kind} --upstream {upstream} --listen 127.0.0.1:{free_port()} --fraction {fraction}"
    assert app(["envoy", "--config", str(path), *words.split()]) == 0
    config: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return config


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
