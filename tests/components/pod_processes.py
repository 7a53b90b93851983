"""A pod's containers as plain processes, started, probed and ended in the order of Kubernetes.

Images become programs and volumes become folders: what stands in a container's arguments under a mount path
is looked for in the folder. Users, limits and name spaces are not made.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WAIT_S = 60.0
_ANSWER_S = 5.0


class PodProcesses:
    """Runs until the context is left.

    Attributes:
        ports: container ports by name.
        started: names of the containers, in the order in which they were started.
        codes: what each process that was told to end ended with, in that order.
    """

    def __init__(
        self,
        pod: Mapping[str, Any],
        config_maps: Mapping[str, Mapping[str, str]],
        programs: Mapping[str, Sequence[str]],
        folder: Path,
    ) -> None:
        """Makes the volumes.

        Args:
            pod: the pod spec.
            config_maps: the files of each.
            programs: what each image starts.
            folder: where ConfigMaps are mounted.
        """
        self._pod = pod
        self._programs = programs
        self._volumes: dict[str, Path] = {}
        for volume in pod.get("volumes", ()):
            if "configMap" in volume:
                path = folder / str(volume["name"])
                path.mkdir()
                for name, text in config_maps[volume["configMap"]["name"]].items():
                    (path / name).write_text(text)
                self._volumes[volume["name"]] = path
            else:
                self._volumes[volume["name"]] = Path(volume["hostPath"]["path"])
        self.ports = {
            port["name"]: int(port["containerPort"]) for one in self._all() for port in one.get("ports", ())
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.started: list[str] = []
        self.codes: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            for container in self._pod.get("initContainers", ()):
                process = self._start(container)
                if container.get("restartPolicy") == "Always":
                    self._probed(container, "startupProbe")
                else:
                    assert process.wait(WAIT_S) == 0
            for container in self._pod["containers"]:
                self._start(container)
            for container in self._all():
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    self._probed(container, probe)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # The containers all at once, then the sidecars, the last one first, within one grace period.
            end = time.monotonic() + self._pod.get("terminationGracePeriodSeconds", 30)
            self._stop([one["name"] for one in self._pod["containers"]], end)
            for container in reversed(self._pod.get("initContainers", ())):
                self._stop([container["name"]], end)
        finally:
            self._kill()

    def _all(self) -> list[dict[str, Any]]:
        return [*self._pod.get("initContainers", ()), *self._pod["containers"]]

    def _start(self, container: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        words = [*self._programs[container["image"]], *container.get("args", ())]
        for mount in container.get("volumeMounts", ()):
            inside, outside = f"{mount['mountPath']}/", f"{self._volumes[mount['name']]}/"
            words = [word.replace(inside, outside) if word.startswith(inside) else word for word in words]
        given = {one["name"]: one["value"] for one in container.get("env", ())}
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        process = subprocess.Popen(words, env={**kept, **given})  # noqa: S603 - the programs that are tested
        self._running[container["name"]] = process
        self.started.append(container["name"])
        return process

    def _probed(self, container: Mapping[str, Any], name: str) -> None:
        """Waits for a probe as long as Kubernetes does."""
        probe = container.get(name)
        if probe is None:
            return
        end = time.monotonic() + probe["periodSeconds"] * probe["failureThreshold"]
        while not self._answers(probe):
            ended = self._running[container["name"]].poll()
            assert ended is None, f"{container['name']} ended with {ended}; what it printed stands above"
            assert time.monotonic() < end, f"{name} of {container['name']} failed"
            time.sleep(0.05)

    def _answers(self, probe: Mapping[str, Any]) -> bool:
        with contextlib.suppress(OSError):
            if "tcpSocket" in probe:
                port = self.ports[probe["tcpSocket"]["port"]]
                with socket.create_connection(("127.0.0.1", port), _ANSWER_S):
                    return True
            url = f"http://127.0.0.1:{self.ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as response:
                return bool(response.status == 200)
        return False

    def _stop(self, names: Sequence[str], end: float) -> None:
        for name in names:
            self._running[name].send_signal(signal.SIGTERM)
        for name in names:
            self.codes[name] = self._running[name].wait(max(end - time.monotonic(), 0.0))

    def _kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
