"""Runs the snippets of one page, in their order, in one folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc

from tests.docs.snippets import Snippet
from tests.support.v2_repository import RepositoryServer

_WAIT_S: Final = 60.0
# Ports as the pages name them: each page gets free ones instead, so that tests run beside whatever runs.
_DOCUMENTED: Final = re.compile(r"\b(8000|8001|9001|9002|9400|9500)\b")
_BIN: Final = Path(sys.executable).parent


class Running:
    """A page that runs: its folder, its ports, the names its Python has made, the programs it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports: dict[str, str] = {}
        self._names: dict[str, Any] = {"__name__": "__page__"}
        self._started: list[subprocess.Popen[bytes]] = []
        self._servers: list[RepositoryServer] = []
        for path in (*folder.glob("*.yaml"), *folder.glob("*.py")):
            path.write_text(self.with_ports(path.read_text()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "channel" in self._names:
            self._names["channel"].close()
        for server in self._servers:
            server.stop()
        for program in self._started:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(_WAIT_S)

    def with_ports(self, text: str) -> str:
        """The text with a free port in place of each documented one."""
        return _DOCUMENTED.sub(lambda found: self._port(found[1]), text)

    def _port(self, documented: str) -> str:
        if documented not in self._ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._ports[documented] = str(probe.getsockname()[1])
        return self._ports[documented]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self.with_ports(text))

    def serve_repository(self, name: str) -> None:
        """Starts a V2 server where the page has Triton's gRPC port, 8001."""
        self._servers.append(RepositoryServer(self.folder / name, int(self._port("8001"))))

    def python(self, snippet: Snippet) -> None:
        """Runs Python; names stay for the snippets after it."""
        code = compile(self.with_ports(snippet.text), snippet.where, "exec")
        with _within(self.folder):
            exec(code, self._names)  # noqa: S102 - our own documentation

    def shell(self, snippet: Snippet) -> str:
        """Runs commands and returns what they print; a command that fails fails the test."""
        if (port := snippet.said("background")) is not None:
            self._start(snippet, int(self._port(port)))
            return ""
        wanted, printed = snippet.words.get("until", []), ""
        end_s = time.monotonic() + _WAIT_S
        while True:
            printed = self._run(snippet)
            if all(text in printed for text in wanted):
                return printed
            assert time.monotonic() < end_s, f"{snippet.where}: never printed {wanted}, but\n{printed}"

    def _run(self, snippet: Snippet) -> str:
        done = subprocess.run(  # noqa: S603 - our own documentation
            self._bash(snippet),
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"{snippet.where}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def _bash(self, snippet: Snippet) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", self.with_ports(snippet.text)]

    def _start(self, snippet: Snippet, port: int) -> None:
        command = self._bash(snippet)
        # The reader's `&` would leave it to nobody here.
        command[-1] = f"exec {command[-1].strip().removesuffix('&')}"
        with (self.folder / "background.log").open("wb") as log:
            program = subprocess.Popen(  # noqa: S603 - our own documentation
                command, cwd=self.folder, env=_environment(), stdout=log, stderr=log, start_new_session=True
            )
        self._started.append(program)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=_WAIT_S)
            except grpc.FutureTimeoutError:
                said = (self.folder / "background.log").read_text()
                raise AssertionError(f"{snippet.where}: no gRPC on port {port}; it said\n{said}") from None


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
