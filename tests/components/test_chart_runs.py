"""What the chart renders, run here as plain processes, as no cluster is at hand.

The configuration lies as a ConfigMap's volume has it, the arguments, the probes and the ports are the pod's;
only the addresses are moved to free ports of the loopback interface, by variables that override it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton
import yaml

from sidecar.core.tensors import Array
from tests.components.helm_chart import rendered, the
from tests.components.running_envoy import free_port
from tests.components.server_process import NAMES

WAIT_S = 60.0
PROGRAM = Path(sys.executable).with_name("pilotfish")
HERE = "127.0.0.1"


class Pod:
    """The server's container, as it was rendered from values."""

    def __init__(self, values: dict[str, Any], folder: Path) -> None:
        self.ports = {"grpc": free_port(), "http": free_port()}
        self._values = folder / "values.yaml"
        self._volume = folder / "config"
        self._volume.mkdir()
        (self._volume / "pilotfish.yaml").symlink_to("..data/pilotfish.yaml")
        self.objects = self.apply(values)
        pod = the(self.objects, "Deployment")["spec"]["template"]["spec"]
        (self._container,) = pod["containers"]
        (mount,) = (one for one in self._container["volumeMounts"] if one["name"] == "config")
        assert "subPath" not in mount
        self._arguments = [
            word.replace(mount["mountPath"], str(self._volume)) for word in self._container["args"]
        ]

    def apply(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Renders, and swaps the files as the kubelet does: by one link to a new folder."""
        self._values.write_text(yaml.safe_dump(values))
        objects = rendered(self._values)
        revision = self._volume / f"..{time.monotonic_ns()}"
        revision.mkdir()
        for name, text in the(objects, "ConfigMap")["data"].items():
            (revision / name).write_text(text)
        link = self._volume / "..data_tmp"
        link.symlink_to(revision.name)
        link.replace(self._volume / "..data")
        return objects

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Until it passes the startup probe, and until it ended by SIGTERM."""
        addresses = {
            f"PILOTFISH_SERVE__{name.upper()}": f"{HERE}:{port}" for name, port in self.ports.items()
        }
        process = subprocess.Popen([PROGRAM, *self._arguments], env={**os.environ, **addresses})  # noqa: S603 - our own
        try:
            until(lambda: self.probe("startupProbe"))
            yield
        finally:
            process.terminate()
            assert process.wait(WAIT_S) == 0

    def probe(self, name: str) -> bool:
        """As the kubelet does it: anything from 200 to 399 is a success."""
        get = self._container[name]["httpGet"]
        with contextlib.suppress(OSError):
            return 200 <= int(self._get(get["port"], get["path"]).status) < 400
        return False

    def metric(self, name: str) -> float:
        """A metric without labels."""
        lines = self._get("http", "/metrics").read().decode().splitlines()
        (value,) = (line.split()[1] for line in lines if line.split()[0] == name)
        return float(value)

    def helm_test(self) -> list[subprocess.CompletedProcess[str]]:
        """Runs the containers of the chart's own test."""
        asking = the(self.objects, "Pod", "fish-pilotfish-test")["spec"]["containers"]
        service = the(self.objects, "Service")["metadata"]["name"]
        here = {f"{service}:9500": f"{HERE}:{self.ports['grpc']}"}
        return [
            subprocess.run(  # noqa: S603 - our own
                [PROGRAM, *(here.get(word, word) for word in one["args"])],
                capture_output=True,
                text=True,
                check=False,
                timeout=WAIT_S,
            )
            for one in asking
        ]

    def _get(self, port: str, path: str) -> Any:  # noqa: ANN401 - urllib's
        (number,) = (self.ports[one["name"]] for one in self._container["ports"] if one["name"] == port)
        return urllib.request.urlopen(f"http://{HERE}:{number}{path}", timeout=5)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def endpoint(name: str, folder: Path, capture: int) -> dict[str, Any]:
    files = {
        one: {"profile": f"{folder}/{one}.safetensors", "onnx": {"path": f"{folder}/{one}.onnx"}}
        for one in NAMES
    }
    return {
        "name": name,
        "capture": [{"proxy": {"listen": f"{HERE}:{capture}", "model": name}}],
        "sample": {"fraction": 1.0},
        "incumbent": NAMES[0],
        "candidates": [{"name": one, **where} for one, where in files.items()],
        "ranking": {"every": "200ms"},
    }


@pytest.mark.timeout(300)
def test_it_starts_ranks_passes_the_charts_own_test_and_takes_a_change(
    folder: Path, tmp_path: Path, live: Array
) -> None:
    capture = free_port()
    endpoints = [endpoint("digits", folder, capture)]
    values = {"captures": [{"name": "capture", "port": capture}], "config": {"endpoints": endpoints}}
    pod = Pod(values, tmp_path)
    with pod.running():
        assert pod.probe("readinessProbe")
        assert pod.probe("livenessProbe")
        send(live[:100], f"{HERE}:{capture}")
        (asked,) = pod.helm_test()
        assert asked.returncode == 0, asked.stderr
        assert all(name in asked.stdout for name in NAMES)

        endpoints.append(endpoint("letters", folder, capture))
        pod.objects = pod.apply(values)
        until(lambda: pod.metric("pilotfish_config_reloads_total") == 1)
        assert [one.returncode for one in pod.helm_test()] == [0, 0]
        assert pod.metric("pilotfish_config_refused") == 0


def send(images: Array, address: str) -> None:
    """One request an image."""
    tensor = triton.InferInput("image", [1, images.shape[1]], "FP32")
    with triton.InferenceServerClient(address) as client:
        for image in images:
            tensor.set_data_from_numpy(image[None])
            client.infer("digits", [tensor], client_timeout=WAIT_S)
