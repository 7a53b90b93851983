"""A capture and a runner are added from outside: a row of each table and their files, and nothing else.

The toys of `tests/support/toys` are laid over a copy of the package. What runs is the command line of that
copy, in processes of their own, over real sockets.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc

from sidecar.core.tensors import Array
from tests.support.models import DigitsModels
from tests.support.running_sidecar import ENDPOINT, WAIT_S, configuration, states, write, write_profiles

ROOT = Path(__file__).parents[2]
ITEMS = 200

# File, the line that the row comes after, the row, and where its class or function comes from.
ROWS = (
    (
        "config/schema/captures/table.py",
        (
            "    mirror: Mirror | None = Field("
            'default=None, description="copies of requests, from Envoy or Istio")\n'
        ),
        '    lines: Lines | None = Field(default=None, description="an item a line")\n',
        "from sidecar.config.schema.captures.lines import Lines\n",
    ),
    (
        "serving/capture/table.py",
        "    CaptureRow(CloudEvents, open_cloudevents),\n",
        "    CaptureRow(Lines, open_lines),\n",
        (
            "from sidecar.config.schema.captures.lines import Lines\n"
            "from sidecar.serving.capture.lines.opening import open_lines\n"
        ),
    ),
    (
        "config/schema/candidate.py",
        "    # The table of runners; a candidate has one of them.\n",
        '    linear: Linear | None = Field(default=None, description="weights in a JSON file")\n',
        "from sidecar.config.schema.runners.linear import Linear\n",
    ),
    (
        "scoring/runners/table.py",
        "    RunnerRow(V2, open_v2, check_v2),\n",
        "    RunnerRow(Linear, open_linear, check_linear),\n",
        (
            "from sidecar.config.schema.runners.linear import Linear\n"
            "from sidecar.scoring.runners.linear.opening import check_linear, open_linear\n"
        ),
    ),
)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "models"},
    "spec": {"containers": [{"name": "server", "image": "server"}]},
}


@dataclass(frozen=True)
class Copy:
    """A copy of the package with the toys; `folder` holds models and profiles too."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def command(self, *words: str | Path) -> list[str]:
        return [str(Path(sys.executable).with_name("pilotfish")), *map(str, words)]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_S,
        )


@pytest.fixture(scope="module")
def copy(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("toys")
    package = folder / "sidecar"
    shutil.copytree(ROOT / "sidecar", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests/support/toys/sidecar", package, dirs_exist_ok=True)
    for name, after, row, imports in ROWS:
        text = (package / name).read_text()
        first_import = "from __future__ import annotations\n"
        assert text.count(after) == text.count(first_import) == 1
        text = text.replace(after, after + row).replace(first_import, first_import + imports)
        (package / name).write_text(text)
    write_profiles(digits_models, folder)
    for name, estimator in digits_models.estimators.items():
        weights = {"weights": estimator.coef_.T.tolist(), "bias": estimator.intercept_.tolist()}
        (folder / f"{name}.json").write_text(json.dumps(weights))
    (folder / "broken.json").write_text('{"weights": [[NaN]], "bias": [0]}')
    return Copy(folder)


def candidate(name: str, weights: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "profile": f"{name if weights is None else 'upright'}.safetensors",
        "linear": {"weights": f"{weights or name}.json"},
    }


def toy_configuration(listen: str, **endpoint: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    toys = {
        "capture": [{"lines": {"listen": listen}}],
        "candidates": [candidate("upright"), candidate("rotated")],
    }
    return configuration(**{**toys, **endpoint})


def test_the_configuration_knows_them(copy: Copy) -> None:
    schema = json.loads(copy.run("check", "--schema").stdout)
    assert {"lines", "proxy"} <= schema["$defs"]["Capture"]["properties"].keys()
    assert {"linear", "onnx", "v2"} <= schema["$defs"]["Candidate"]["properties"].keys()

    odd = toy_configuration("127.0.0.1:0")
    odd["endpoints"][0]["capture"] = [{"lines": {"lisen": "127.0.0.1:9000"}}, {}]
    odd["endpoints"][0]["candidates"][0].pop("linear")
    told = copy.run("check", "--config", write(copy.folder, odd)).stdout
    assert "capture[0].lines.lisen: unknown key; did you mean 'listen'?" in told
    assert "rest, mirror, lines, observer, cloudevents; given: none" in told
    assert "give exactly one of linear, onnx, v2" in told


def test_two_captures_do_not_share_an_address(copy: Copy) -> None:
    shared = [{"lines": {"listen": "127.0.0.1:9000"}}, {"mirror": {"listen": "127.0.0.1:9000"}}]
    told = copy.run("check", "--config", write(copy.folder, toy_configuration("", capture=shared))).stdout
    assert "capture[1].mirror.listen: 127.0.0.1:9000 has a `lines` already" in told


def test_a_proxy_without_upstream_refuses_an_incumbent_that_cannot_answer(copy: Copy) -> None:
    proxied = toy_configuration("", capture=[{"proxy": {"listen": "127.0.0.1:9000"}}])
    told = copy.run("check", "--config", write(copy.folder, proxied)).stdout
    assert "the incumbent 'upright' runs only in the scoring process" in told


def test_check_opens_and_checks_them(copy: Copy) -> None:
    path = write(copy.folder, toy_configuration("127.0.0.1:0"))
    good = copy.run("check", "--config", path)
    assert (good.returncode, good.stdout) == (0, f"{path}: ok\n")

    faulty = [candidate("upright"), candidate("broken", "broken"), candidate("gone", "gone")]
    bad = copy.run("check", "--config", write(copy.folder, toy_configuration("", candidates=faulty)))
    assert "candidate broken: a weight is not finite: train the model anew" in bad.stdout
    assert "gone.json: cannot be read" in bad.stdout


def test_check_notes_what_the_capture_does_not_see(copy: Copy) -> None:
    watched = toy_configuration("127.0.0.1:0") | {"interference": {"latency_ratio": 1.2}}
    told = copy.run("check", "--config", write(copy.folder, watched)).stdout
    assert f"note: endpoint {ENDPOINT}: its captures see no answers" in told


def test_inject_names_its_port(copy: Copy) -> None:
    config = toy_configuration("0.0.0.0:9107")
    config["serve"] = {}
    path, pod = write(copy.folder, config), copy.folder / "pod.yaml"
    pod.write_text(yaml.safe_dump(POD))
    manifest = copy.run("inject", "-f", pod, "--config", path).stdout
    containers = {
        one["name"]: one
        for document in yaml.safe_load_all(manifest)
        if document["kind"] == "Pod"
        for one in document["spec"]["initContainers"]
    }
    ports = {port["name"]: port["containerPort"] for port in containers["pilotfish"]["ports"]}
    assert ports["lines-9107"] == 9107


@pytest.fixture(scope="module")
def serving(copy: Copy) -> Iterator[dict[str, Any]]:
    config = toy_configuration("127.0.0.1:0")
    config["log"] = {"level": "info"}
    with subprocess.Popen(  # noqa: S603 - our own program
        copy.command("serve", "--config", write(copy.folder, config)),
        cwd=copy.folder,
        env=copy.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told = (json.loads(line) for line in process.stderr)
        try:
            yield next(line for line in told if line["event"] == "serving")
        finally:
            process.terminate()
            process.stderr.read()
            assert process.wait(WAIT_S) == 0


def send_lines(address: str, images: Array) -> None:
    """Returns when the capture read them all."""
    host, _, port = address.rpartition(":")
    lines = [json.dumps({"model": ENDPOINT, "X": image.tolist()}) for image in images]
    with socket.create_connection((host, int(port)), WAIT_S) as connection:
        connection.sendall("\n".join([*lines, '{"model": "unknown", "X": []}', "no JSON", ""]).encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_what_comes_by_the_one_is_answered_by_the_other_ranked_and_counted(
    serving: dict[str, Any], digits_models: DigitsModels
) -> None:
    send_lines(serving["captures"][ENDPOINT], digits_models.validation["upright"][:ITEMS])
    with grpc.insecure_channel(f"127.0.0.1:{serving['grpc']}") as channel:
        rankings = ranking_pb2_grpc.RankingServiceStub(channel)
        asked = ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT, every_round=True)
        watched = rankings.WatchRanking(asked, timeout=WAIT_S)
        ranking = next(one.ranking for one in watched if one.ranking.items == ITEMS)
        watched.cancel()
    assert states(ranking)["upright"] == "OK"
    assert [one.name for one in ranking.candidates] == ["upright", "rotated"]
    assert ranking.candidates[0].accuracy.value > ranking.candidates[1].accuracy.value

    with urllib.request.urlopen(f"http://127.0.0.1:{serving['http']}/metrics", timeout=WAIT_S) as response:
        told = response.read().decode()
    of = f'{{endpoint="{ENDPOINT}"}}'
    assert f"pilotfish_requests_seen_total{of} {ITEMS}.0" in told
    assert f"pilotfish_requests_sampled_total{of} {ITEMS}.0" in told
    at = '{capture="lines",listen="127.0.0.1:0"}'
    assert f"pilotfish_capture_unwatched_calls_total{at} 1.0" in told
    assert f"pilotfish_capture_unreadable_calls_total{at} 1.0" in told
    assert f"pilotfish_capture_connections{at}" not in told


def test_the_import_contracts_hold_with_them(copy: Copy) -> None:
    shutil.copy(ROOT / "pyproject.toml", copy.folder)
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(  # noqa: S603 - our own tool
        [program, "--no-cache", "--config", copy.folder / "pyproject.toml"],
        cwd=copy.folder,
        env=copy.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
