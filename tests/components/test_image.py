"""The Dockerfile's own steps in a clean Debian, up to a `pilotfish serve` that passes its own health check.

The Debian stands for the base image: it has Python 3.11 of the distribution where python:3.12-slim-bookworm
has 3.12 in /usr/local. All else, package index and all, is as in a build by Docker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.digit_models import train
from tests.components.dockerfile import Stage, build

ROOT = Path(__file__).parents[2]
CONTAINED = Path(__file__).with_name("contained.py")
WAIT_S = 60.0

pytestmark = pytest.mark.timeout(600)

RANKED = """
import grpc
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc, traffic_pb2, traffic_pb2_grpc
channel = grpc.insecure_channel("127.0.0.1:9500")
image = traffic_pb2.Tensor(name="image", datatype="FP32", shape=[1, 64], contents=bytes(256))
sent = iter([traffic_pb2.ObserveRequest(endpoint="digits", inputs=[image])] * 60)
assert traffic_pb2_grpc.TrafficServiceStub(channel).Observe(sent).sampled == 60
watch = ranking_pb2.WatchRankingRequest(endpoint="digits", every_round=True)
for change in ranking_pb2_grpc.RankingServiceStub(channel).WatchRanking(watch, timeout=60):
    if change.ranking.items == 60:
        break
print(*(one.name for one in change.ranking.candidates))
"""
MISSING_BYTECODE = """
import os, sys, sidecar.serving.serve, sidecar.scoring.__main__
print(*(name for name, module in sys.modules.items()
        if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)))
"""
INSTALLED = """
import json, locale
from importlib import metadata
locale.setlocale(locale.LC_ALL, "en_US.UTF-8")
print(json.dumps({one.name.lower().replace("_", "-"): one.version for one in metadata.distributions()}))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    debian = Path(os.environ.get("PILOTFISH_DEBIAN", ""))
    if not (debian / "usr/bin/python3").exists() or os.geteuid():
        pytest.fail(
            f"PILOTFISH_DEBIAN is {str(debian)!r}: name a Debian 12 with python3-venv that debootstrap made, "
            "as `make test-components` does, and be root"
        )
    return build(ROOT / "Dockerfile", debian, ROOT, tmp_path_factory.mktemp("image"))


class Container:
    """A running container; commands run beside it as its own user."""

    def __init__(self, stage: Stage, process_id: int) -> None:
        self._stage = stage
        self.process_id = process_id

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        user, group = self._stage.user.split(":")
        inside = ["nsenter", f"--target={self.process_id}", "--mount", "--net", "--pid", "--root"]
        inside += [f"--wd=/proc/{self.process_id}/cwd", f"--setuid={user}", f"--setgid={group}"]
        return subprocess.run(  # noqa: S603 - in our own container
            [*inside, *command], env=self._stage.env, capture_output=True, text=True, check=False
        )

    def says(self, code: str) -> str:
        told = self.run("python", "-c", code)
        assert told.returncode == 0, told.stderr
        return told.stdout.strip()


@pytest.fixture(scope="module")
def container(image: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("etc")
    endpoint: dict[str, Any] = {
        "name": "digits",
        "capture": [{"proxy": {"listen": "0.0.0.0:9001", "upstream": "127.0.0.1:8001"}}],
        "sample": {"fraction": 1.0},
        "incumbent": "upright",
        "candidates": train(["upright"], folder),
        "ranking": {"every": "1s"},
    }
    (folder / "pilotfish.yaml").write_text(yaml.safe_dump({"endpoints": [endpoint]}))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    with running(image, folder) as process_id:
        yield Container(image, process_id)


@contextmanager
def running(image: Stage, folder: Path) -> Iterator[int]:
    """The process of the image's own command."""
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    into = [sys.executable, *map(str, (CONTAINED, image.root, folder)), image.user, image.workdir]
    with subprocess.Popen([*apart, *into, *image.entrypoint, *image.cmd], env=image.env) as process:  # noqa: S603
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until = time.monotonic() + WAIT_S
            while not (found := children.read_text().split()):
                assert time.monotonic() < until
            yield int(found[0])
            # As an orchestrator ends it; as the first process of all it has to heed the signal by itself.
            os.kill(int(found[0]), signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()


def test_it_passes_its_own_health_check(image: Stage, container: Container) -> None:
    until = time.monotonic() + WAIT_S
    while (told := container.run(*image.healthcheck)).returncode:
        assert time.monotonic() < until, told.stderr
    assert container.run("python", "-c", "import os; os.stat('/opt/pilotfish/sbom.cdx.json')").returncode == 0


def test_it_ranks(container: Container) -> None:
    assert container.says(RANKED) == "upright"


def test_it_is_nobody_and_can_write_nowhere(container: Container) -> None:
    assert container.says("import os; print(os.getuid(), os.getgid())") == "65532 65532"
    status = Path(f"/proc/{container.process_id}/status").read_text()
    assert "Uid:\t65532\t65532\t65532\t65532" in status
    for folder in ("/", "/tmp", "/etc/pilotfish", "/opt/pilotfish"):  # noqa: S108 - to be refused
        refused = container.run("python", "-c", f"open('{folder}/mine', 'w')")
        assert "Read-only file system" in refused.stderr


def test_nothing_is_compiled_at_a_start(container: Container) -> None:
    assert not container.says(MISSING_BYTECODE)


def test_what_is_installed_is_what_the_bill_of_materials_lists(image: Stage, container: Container) -> None:
    bill = json.loads((image.root / "opt/pilotfish/sbom.cdx.json").read_text())
    listed = {one["name"]: one["version"] for one in [*bill["components"], bill["metadata"]["component"]]}
    assert json.loads(container.says(INSTALLED)) == listed


def test_what_was_left_out_is_not_missed(container: Container) -> None:
    assert container.says(
        "import pyarrow.compute, pyarrow.csv, pyarrow.parquet as found; print(found.__name__)"
    )
    assert container.run("pilotfish", "measures").returncode == 0
