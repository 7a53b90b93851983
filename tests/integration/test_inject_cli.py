"""`pilotfish inject` and `uninject` as a user runs them, on manifests as there are in the world."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.config import load_config
from sidecar.config.schema import Serve
from sidecar.core.errors import InvalidError
from sidecar.tools.cli import app
from sidecar.tools.injection.manifests import read_manifests
from tests.support.manifests import FOLDER, MANIFESTS, flat, names, pod_of, read, workload

CONFIG = """
# The endpoints of this team.
endpoints:
  - name: digits
    capture:
      - observer: {listen: "127.0.0.1:9002"}
      - mirror: {listen: "0.0.0.0:9001", envoy: "127.0.0.1:9902"}
    incumbent: a
    candidates: [{name: a, profile: /models/a.safetensors, onnx: {path: /models/a.onnx}}]
serve: {grace: 40s}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pilotfish.yaml"
    path.write_text(CONFIG)
    return path


Printed = Callable[..., str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Printed:
    """The command, without the second that it takes to start one."""

    def run(*words: str | Path, given: str = "", noted: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        assert app([str(word) for word in words], exit_on_error=False) == 0
        found = capsys.readouterr()
        assert noted in found.err
        assert bool(noted) == bool(found.err)
        return found.out

    return run


def test_a_shell_pipes_it(config: Path) -> None:
    program = str(Path(sys.executable).with_name("pilotfish"))
    words = ("inject", "-f", "-", "--config", str(config))
    manifests = (FOLDER / "deployment.yaml").read_bytes()
    for command in ([program, *words], [program, "uninject", "-f", "-"]):
        manifests = subprocess.run(command, input=manifests, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own program
    assert read_manifests(manifests.decode(), "plain") == read("deployment.yaml")


@pytest.mark.parametrize("name", MANIFESTS)
def test_inject_then_uninject_is_the_identity(
    name: str, config: Path, tmp_path: Path, printed: Printed
) -> None:
    words = ("--config", config, "--envoy", "mirror", "--upstream", "127.0.0.1:8001")
    once = tmp_path / "once.yaml"
    once.write_text(printed("inject", "-f", FOLDER / name, *words))
    assert read_manifests(once.read_text(), name) != read(name)
    assert printed("inject", "-f", once, *words) == once.read_text()
    plain = printed("uninject", "-f", once)
    assert read_manifests(plain, name) == read(name)
    assert printed("uninject", "--file", "-", given=plain) == plain


def test_the_config_map_has_the_file_as_it_is_and_what_envoy_needs(config: Path, printed: Printed) -> None:
    words = ("--config", config, "--envoy", "mirror", "--upstream", "127.0.0.1:8001", "--envoy-port", "8900")
    text = printed("inject", "-f", "-", *words, given=(FOLDER / "deployment.yaml").read_text())
    config_map, deployment = read_manifests(text, "printed")
    assert config_map["metadata"]["name"] == "triton-pilotfish"
    assert config_map["metadata"]["namespace"] == "models"
    assert config_map["data"]["pilotfish.yaml"] == CONFIG
    envoy = yaml.safe_load(config_map["data"]["envoy.yaml"])
    assert [ports(one["address"]) for one in envoy["static_resources"]["listeners"]] == [8900, 8901]
    assert ports(envoy["admin"]["address"]) == 9902
    clusters = [
        one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for one in envoy["static_resources"]["clusters"]
    ]
    assert [ports(one) for one in clusters] == [8001, 9001, 9902]
    pod = pod_of(deployment)
    assert pod["terminationGracePeriodSeconds"] == 45
    # What listens on the loopback interface is no port of the pod.
    assert [names(one["ports"]) for one in pod["initContainers"]] == [
        ["pilotfish-grpc", "pilotfish-http", "mirror-9001"],
        ["pilotfish-envoy", "pilotfish-ready"],
    ]


def ports(address: dict[str, Any]) -> int:
    return int(address["socket_address"]["port_value"])


def test_an_existing_config_map_needs_no_file(printed: Printed) -> None:
    text = printed(
        *(
            "inject",
            "-f",
            FOLDER / "statefulset.yaml",
            "--config-map",
            "shared",
            "--models-volume",
            "data:/m",
        ),
        *("--envoy", "observer", "--image", "registry/pilotfish:1", "--envoy-image", "envoy:2", "--classic"),
        *("--memory", "3Gi"),
    )
    (found,) = read_manifests(text, "printed")
    pod = pod_of(found)
    _, pilotfish_container, envoy = pod["containers"]
    assert (pilotfish_container["image"], envoy["image"]) == ("registry/pilotfish:1", "envoy:2")
    assert pilotfish_container["resources"]["limits"] == {"memory": "3Gi"}
    assert pilotfish_container["env"][1] == {"name": "PILOTFISH_SERVE__HTTP", "value": "0.0.0.0:9400"}
    assert pilotfish_container["volumeMounts"][1] == {"name": "data", "mountPath": "/m", "readOnly": True}
    assert pod["volumes"] == [{"name": "pilotfish-config", "configMap": {"name": "shared"}}]


def test_an_existing_config_map_listens_where_probes_look(
    config: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = read_manifests(
        printed("inject", "-f", FOLDER / "deployment.yaml", "--config-map", "shared"), "printed"
    )
    (container,) = pod_of(found)["initContainers"]
    for one in container["env"]:
        monkeypatch.setenv(one["name"], one["value"])
    config.write_text(CONFIG.replace("serve: {", "serve: {grpc: 'localhost:1', http: 'localhost:2', "))
    assert load_config(config).serve == Serve(grpc="0.0.0.0:9500", http="0.0.0.0:9400", grace=10.0)


def test_only_one_of_several(config: Path, printed: Printed) -> None:
    text = (FOLDER / "deployment.yaml").read_text() + "---\n" + (FOLDER / "statefulset.yaml").read_text()
    found = flat(
        read_manifests(
            printed("inject", "-f", "-", "--config", config, "--only", "store", given=text), "printed"
        )
    )
    assert "initContainers" not in pod_of(workload(found, "triton"))
    assert names(pod_of(workload(found, "store"))["initContainers"]) == ["pilotfish"]


def test_the_envoy_beside_copies_a_fraction(config: Path, printed: Printed) -> None:
    words = f"--config {config} --envoy mirror --upstream a:1 --envoy-fraction 0.1".split()
    config_map = read_manifests(printed("inject", "-f", FOLDER / "deployment.yaml", *words), "printed")[0]
    envoy = yaml.safe_load(config_map["data"]["envoy.yaml"])
    manager = envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    match = manager["route_config"]["virtual_hosts"][0]["routes"][0]["match"]
    assert match["runtime_fraction"]["default_value"] == {"numerator": 100_000, "denominator": "MILLION"}


def test_files_that_the_pod_will_not_have_are_told(config: Path, printed: Printed) -> None:
    config.write_text(CONFIG.replace("/models/a.onnx", "models/a.onnx"))
    noted = "note: in the pod Pilotfish looks for models/a.onnx in /etc/pilotfish"
    assert printed("inject", "-f", FOLDER / "deployment.yaml", "--config", config, noted=noted)


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (("", ""), "", "name a file with --config, or an existing ConfigMap"),
        (("", ""), "--config {config} --envoy observer", "add --upstream HOST:PORT"),
        (
            ("", ""),
            "--config {config} --envoy-fraction 0.1",
            "only changes an envoy.yaml that --envoy prints",
        ),
        (
            ("", ""),
            "--config-map shared --envoy mirror --envoy-fraction 0.1",
            "gets its fraction from `pilotfish envoy --fraction`",
        ),
        (("mirror:", "miror:"), "--config {config}", "unknown key; did you mean 'mirror'"),
        (
            ("serve: {", "serve: {http: '127.0.0.1:9400', "),
            "--config {config}",
            "serve.http is 127.0.0.1:9400",
        ),
        (("0.0.0.0:9001", "0.0.0.0:0"), "--config {config}", "a `mirror` capture listens on port 0"),
        (
            ("mirror", "observer"),
            "--config {config} --envoy mirror --upstream a:1",
            "no endpoint has a `mirror`",
        ),
        (("", ""), "--config nowhere.yaml", "nowhere.yaml: file: cannot be read"),
        (("", ""), "--config-map shared --models-volume nothing", "has no volume 'nothing'"),
    ],
)
def test_wrong_use_is_told_with_a_mend(
    config: Path, change: tuple[str, str], words: str, said: str, printed: Printed
) -> None:
    config.write_text(CONFIG.replace(*change))
    with pytest.raises(InvalidError, match=said):
        printed("inject", "-f", FOLDER / "deployment.yaml", *words.format(config=config).split())


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "standard input is not YAML"), ("kind: Service", "no workload to inject into, only Service")],
)
def test_manifests_without_a_workload_are_refused(text: str, said: str, printed: Printed) -> None:
    with pytest.raises(InvalidError, match=said):
        printed("inject", "-f", "-", "--config-map", "shared", given=text)


def test_a_file_that_is_not_there_is_told(printed: Printed) -> None:
    with pytest.raises(InvalidError, match=r"nowhere.yaml cannot be read: .* No such file"):
        printed("uninject", "-f", "nowhere.yaml")
