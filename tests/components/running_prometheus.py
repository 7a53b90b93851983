"""A real Prometheus and Alertmanager on free ports of the loopback interface, quick enough for a test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.components.running_envoy import free_port

WAIT_S = 60.0
INTERVAL = "500ms"
# Debian's Alertmanager opens its templates under /usr/share: it alone sees those that were unpacked there.
_OWN_SHARE = (
    *("unshare", "--user", "--map-root-user", "--mount"),
    *("sh", "-c", 'mount --bind "$1" /usr/share && shift && exec "$@"', "sh"),
)
# What the operator of Prometheus adds to the series of every target that a ServiceMonitor names.
TARGET = {"namespace": "ml", "service": "pilotfish", "pod": "pilotfish-0", "container": "pilotfish"}


class RunningPrometheus:
    """Asks what a Prometheus knows."""

    def __init__(self, address: str) -> None:
        self.address = address

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, or the reason why it is no query."""
        query = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = fetch(self.address, f"/api/v1/query?{query}")["data"]["result"]
        return found

    def values(self, selector: str, label: str) -> list[str]:
        """What a label is in the series of a selector."""
        query = urllib.parse.urlencode({"match[]": selector})
        found: list[str] = fetch(self.address, f"/api/v1/label/{label}/values?{query}")["data"]
        return found


class RunningAlertmanager:
    """Asks what an Alertmanager has been told."""

    def __init__(self, address: str) -> None:
        self.address = address

    def firing(self) -> dict[str, list[dict[str, Any]]]:
        """Alerts that are not resolved, by name."""
        alerts: dict[str, list[dict[str, Any]]] = {}
        for alert in fetch(self.address, "/api/v2/alerts?active=true"):
            alerts.setdefault(alert["labels"]["alertname"], []).append(alert)
        return alerts


@contextmanager
def running_alertmanager(programs: Path, folder: Path) -> Iterator[RunningAlertmanager]:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
    address = f"127.0.0.1:{free_port()}"
    command = [
        *_OWN_SHARE,
        programs.parent / "share",
        programs / "prometheus-alertmanager",
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with _running(command, address):
        yield RunningAlertmanager(address)


@contextmanager
def running_prometheus(
    programs: Path, folder: Path, *, target: str, monitor: Mapping[str, Any], rules: str, alertmanager: str
) -> Iterator[RunningPrometheus]:
    """Scrapes one target as an entry of a ServiceMonitor's `endpoints` says, but more often."""
    (folder / "rules.yml").write_text(rules)
    path = folder / "prometheus.yml"
    scrape = {
        "job_name": TARGET["service"],
        "honor_labels": monitor.get("honorLabels", False),
        "metrics_path": monitor["path"],
        "static_configs": [{"targets": [target], "labels": {**TARGET, "endpoint": monitor["port"]}}],
    }
    config = {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }
    path.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        programs / "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
        "--rules.alert.resend-delay=1s",
        "--log.level=error",
    ]
    with _running(command, address):
        yield RunningPrometheus(address)


def eventually(true: Callable[[], object], what: str, said: Callable[[], object] = str) -> None:
    """Waits until it is true; a failure says what was there instead."""
    end = time.monotonic() + WAIT_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {WAIT_S:g} s; {said()}")
        time.sleep(0.1)


def fetch(address: str, path: str) -> Any:  # noqa: ANN401 - JSON
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=WAIT_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.read().decode()}") from error


@contextmanager
def _running(command: list[Any], address: str) -> Iterator[None]:
    process = subprocess.Popen(command)  # noqa: S603 - the program that is tested with
    try:
        eventually(lambda: process.poll() is not None or _ready(address), f"answer at {address}")
        assert process.poll() is None, f"{command} did not start; what it printed stands above"
        yield
    finally:
        process.terminate()
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(address: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"http://{address}/-/ready", timeout=1).status == 200)
    return False
