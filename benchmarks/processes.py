"""Programs under measurement, each a process of its own: upstream, sidecar, Envoy; what they use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from sidecar.serving.capture.core.envoy_admin import CLUSTER

_READY_S = 60.0
_STOP_S = 15.0
_POLL_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_COPIES = f"cluster.{CLUSTER}.upstream_rq_total"


def free_address() -> str:
    """A `host:port` that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def cpu_seconds(process_id: int) -> float:
    """CPU time that a process has spent, all threads, to a hundredth of a second."""
    # Behind the name, which is in brackets and may hold spaces, user and system time are 12th and 13th.
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_bytes(process_id: int) -> int:
    """Memory of a process that is in RAM."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * _PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that said where it listens."""

    address: str
    process_id: int


@contextmanager
def listening(module: str, *options: str) -> Iterator[Listening]:
    """Runs a module that prints `listening on HOST:PORT`."""
    with _running([sys.executable, "-m", module, *options], stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise RuntimeError("a process with a pipe has it")
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{module} did not come up; its own message stands above")
        yield Listening(line.removeprefix("listening on ").strip(), process.pid)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running `pilotfish serve`."""

    grpc: str
    http: str
    process_id: int

    @property
    def scoring_process_id(self) -> int:
        """Of the scoring process, which is the only child."""
        children = Path(f"/proc/{self.process_id}/task/{self.process_id}/children").read_text().split()
        if len(children) != 1:
            raise RuntimeError(f"the serving process has the children {children}, not one")
        return int(children[0])

    def counters(self, endpoint: str) -> dict[str, int]:
        """The endpoint's metrics by name, the reasons of one metric added up; gauges are cut to integers."""
        with urllib.request.urlopen(f"http://{self.http}/metrics") as response:
            text = response.read().decode()
        totals: dict[str, int] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("endpoint") == endpoint:
                    name = sample.name.removeprefix("pilotfish_").removesuffix("_total")
                    totals[name] = totals.get(name, 0) + int(sample.value)
        return totals

    def accounting(self, endpoint: str, sent: int) -> bool:
        """Prints the accounting beside what was sent here; whether they agree exactly."""
        counts = self.counters(endpoint)
        seen, sampled, skipped = (counts[f"requests_{name}"] for name in ("seen", "sampled", "skipped"))
        dropped = counts.get("requests_dropped", 0)
        exact = sent == seen == sampled + skipped + dropped
        print(
            f"{endpoint}: sent {sent:,}; seen {seen:,} = sampled {sampled:,} + skipped {skipped:,} + "
            f"dropped {dropped:,}: {'exact' if exact else 'WRONG'}"
        )
        return exact


@contextmanager
def serving(folder: Path, endpoints: list[dict[str, Any]]) -> Iterator[Sidecar]:
    """Runs `pilotfish serve` with the defaults but for these endpoints, until it is ready and after."""
    grpc, http = free_address(), free_address()
    path = folder / f"pilotfish-{grpc.rpartition(':')[2]}.yaml"
    config = {"endpoints": endpoints, "serve": {"grpc": grpc, "http": http}, "log": {"level": "error"}}
    path.write_text(yaml.safe_dump(config))
    command = [str(Path(sysconfig.get_path("scripts"), "pilotfish")), "serve", "--config", str(path)]
    with _running(command) as process:
        _await_ready(f"http://{http}/readyz", process)
        yield Sidecar(grpc, http, process.pid)


@contextmanager
def envoy(program: Path, folder: Path, config: dict[str, Any], admin: str) -> Iterator[int]:
    """Runs Envoy on one thread of its own, until it is ready and after; its process id."""
    path = folder / f"envoy-{admin.rpartition(':')[2]}.yaml"
    path.write_text(yaml.safe_dump(config))
    options = "--disable-hot-restart --concurrency 1 --log-level error"
    with _running([str(program), "-c", str(path), *options.split()]) as process:
        _await_ready(f"http://{admin}/ready", process)
        yield process.pid


def envoy_copies(admin: str) -> int:
    """What an Envoy has sent to Pilotfish up to now, by its own count."""
    with urllib.request.urlopen(f"http://{admin}/stats?filter=^{_COPIES}$") as response:
        text = response.read().decode()
    # Envoy knows no such count before the first.
    return int(text.removeprefix(f"{_COPIES}: ") or 0)


def _await_ready(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - of our own programs
                return
        except urllib.error.URLError:
            time.sleep(_POLL_S)
    raise RuntimeError(f"{process.args!r} did not become ready; its own message stands above")


@contextmanager
def _running(command: list[str], stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=stdout, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
