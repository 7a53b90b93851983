"""Injected pods: valid to Kubernetes' schemas, and their containers, started in its order, rank."""

from __future__ import annotations

import contextlib
import copy
import os
import socket
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc
from tritonclient.grpc import service_pb2_grpc

from benchmarks.digit_models import candidate
from sidecar.core.tensors import Array
from sidecar.tools.cli import app
from sidecar.tools.injection.containers import ENVOY_IMAGE, Injection
from sidecar.tools.injection.inject import inject_documents
from sidecar.tools.injection.workloads import Document, kind_of
from tests.components.helm_chart import VERSIONS, faults
from tests.components.kserve_types import faults as unknown_to_kserve
from tests.components.pod_processes import WAIT_S, PodProcesses
from tests.components.programs import named
from tests.components.running_envoy import free_port
from tests.components.server_process import NAMES
from tests.support.capture_ways import Call
from tests.support.manifests import CLASSIC, FILES, INJECTION, MANIFESTS, WITH_ENVOY, flat, pod_of, read
from tests.support.running_sidecar import ENDPOINT, configuration, states

ITEMS = 300
SERVER_IMAGE = "model-server:test"
PILOTFISH_IMAGE = "pilotfish:test"
WAYS = {"own": INJECTION, "envoy": WITH_ENVOY, "classic": CLASSIC}


@pytest.fixture(scope="module")
def kserve_python() -> Path:
    return named("PILOTFISH_KSERVE_PYTHON", "bin/python beside kserve")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_injected_is_valid_in_every_version(way: str) -> None:
    wanted: list[Document] = []
    for name in MANIFESTS:
        if (name, way) != ("jobs.yaml", "classic"):
            wanted += known_to_kubernetes(read(name), WAYS[way])
    assert len(wanted) > len(MANIFESTS)
    assert faults(wanted, VERSIONS) == []


def test_what_is_not_valid_is_found() -> None:
    wanted = known_to_kubernetes(read("deployment.yaml"), INJECTION)
    pod_of(wanted[-1])["initContainers"][0]["startupProb"] = {}
    found = faults(wanted, VERSIONS)
    assert len(found) == 6
    assert "startupProb" in found[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["inference-service.yaml", "inference-service-custom.yaml", "serving-runtime.yaml"]
)
def test_kserve_knows_every_field_that_is_injected(name: str, way: str, kserve_python: Path) -> None:
    found = inject_documents(read(name), WAYS[way], FILES)
    assert unknown_to_kserve(kserve_python, found[-1:]) == []


def test_a_field_that_kserve_does_not_know_is_found(kserve_python: Path) -> None:
    found = inject_documents(read("serving-runtime.yaml"), INJECTION, FILES)
    found[-1]["spec"]["initContainers"] = found[-1]["spec"]["containers"][-1:]
    found[-1]["spec"]["containers"][0]["startupProbe"] = {"httpGet": {"pth": "/"}}
    assert unknown_to_kserve(kserve_python, found[-1:]) == [
        "ServingRuntime.spec.containers[0].startupProbe.httpGet.pth: V1HTTPGetAction has no such field",
        "ServingRuntime.spec.initContainers: V1alpha1ServingRuntimeSpec has no such field",
    ]


def known_to_kubernetes(documents: list[Document], injection: Injection) -> list[Document]:
    """What injection makes; of KServe's objects, whose schemas are not at hand, the pod alone."""
    found = []
    for one in flat(inject_documents(documents, injection, FILES)):
        if not str(one["apiVersion"]).startswith("serving.kserve.io"):
            found.append(one)
        elif kind_of(one) is not None:
            pod = {"containers": [], **copy.deepcopy(pod_of(one))}
            known = {"initContainers", "containers", "volumes", "terminationGracePeriodSeconds"}
            spec = {key: value for key, value in pod.items() if key in known}
            annotations = {"annotations": pod.get("annotations", {})}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": annotations, "spec": spec})
    return found


@pytest.mark.parametrize(
    ("kind", "classic", "order"),
    [
        ("observer", False, ["pilotfish", "pilotfish-envoy", "server"]),
        ("mirror", True, ["server", "pilotfish", "pilotfish-envoy"]),
        ("proxy", False, ["pilotfish", "server"]),
    ],
)
def test_injected_containers_serve_a_ranking(
    kind: str,
    order: list[str],
    folder: Path,
    live: Array,
    envoy_program: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    classic: bool,
) -> None:
    server = free_port()
    (tmp_path / "pilotfish.yaml").write_text(yaml.safe_dump(config(kind, server, folder)))
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(deployment(server, folder)))
    words = ["-f", str(tmp_path / "deployment.yaml"), "--config", str(tmp_path / "pilotfish.yaml")]
    if kind != "proxy":
        words += ["--envoy", kind, "--upstream", f"127.0.0.1:{server}", "--envoy-port", str(free_pair())]
    words += [f"--models-volume=models:{folder}", "--image", PILOTFISH_IMAGE]
    assert app(["inject", *words, *(["--classic"] if classic else [])]) == 0
    config_map, workload = yaml.safe_load_all(capsys.readouterr().out)

    pod = PodProcesses(
        pod_of(workload),
        {config_map["metadata"]["name"]: config_map["data"]},
        {
            PILOTFISH_IMAGE: [str(Path(sys.executable).with_name("pilotfish"))],
            ENVOY_IMAGE: [str(envoy_program)],
            SERVER_IMAGE: [sys.executable, "-m", "tests.components.model_process"],
        },
        tmp_path,
    )
    with pod:
        assert pod.started == order
        entrance = next(name for name in pod.ports if name.startswith(("proxy-", "pilotfish-envoy")))
        send(f"127.0.0.1:{pod.ports[entrance]}", live[:ITEMS])
        ranking = ranked(f"127.0.0.1:{pod.ports['pilotfish-grpc']}")
    assert ranking.candidates[0].name == "rotated"
    # Native sidecars end after what they stand beside, the last one first.
    assert list(pod.codes.items()) == [(name, 0) for name in (order if classic else reversed(order))]


def config(kind: str, server: int, folder: Path) -> dict[str, Any]:
    """With absolute paths, and addresses that probes reach."""
    settings: dict[str, Any] = {"listen": f"127.0.0.1:{free_port()}", "envoy": f"127.0.0.1:{free_port()}"}
    if kind == "proxy":
        settings = {"listen": f"0.0.0.0:{free_port()}", "upstream": f"127.0.0.1:{server}"}
    candidates = [candidate(name) for name in NAMES]
    for one in candidates:
        one["profile"] = str(folder / one["profile"])
        one["onnx"]["path"] = str(folder / one["onnx"]["path"])
    whole = configuration(capture=[{kind: settings}], candidates=candidates)
    whole["serve"] = {"grpc": f"0.0.0.0:{free_port()}", "http": f"0.0.0.0:{free_port()}"}
    return whole


def free_pair() -> int:
    """The first of two free ports in a row, of those that the system gives nobody by itself."""
    for port in range(20000 + os.getpid() % 5000, 32000, 2):
        with (
            contextlib.suppress(OSError),
            socket.create_server(("", port)),
            socket.create_server(("", port + 1)),
        ):
            return port
    raise AssertionError("no two free ports in a row")


def deployment(port: int, folder: Path) -> Document:
    container = {
        "name": "server",
        "image": SERVER_IMAGE,
        "args": [str(folder / "upright.onnx"), str(port)],
        "ports": [{"name": "grpc", "containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": "grpc"}, "periodSeconds": 1, "failureThreshold": 60},
    }
    pod = {"containers": [container], "volumes": [{"name": "models", "hostPath": {"path": str(folder)}}]}
    template = {"metadata": {"labels": {"app": "digits"}}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "digits"},
        "spec": {"selector": {"matchLabels": {"app": "digits"}}, "template": template},
    }


def send(address: str, images: Array) -> None:
    with grpc.insecure_channel(address) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for image in images:
            request = Call({"image": image[None]}, model=ENDPOINT).request
            request.outputs.add(name="probabilities")
            answer = stub.ModelInfer(request, timeout=WAIT_S, wait_for_ready=True)
            assert answer.outputs[0].name == "probabilities"


def ranked(address: str) -> ranking_pb2.Ranking:
    """The first ranking of all items by all candidates."""
    with grpc.insecure_channel(address) as channel:
        request = ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT, every_round=True)
        for response in ranking_pb2_grpc.RankingServiceStub(channel).WatchRanking(request, timeout=WAIT_S):
            ranking = response.ranking
            if ranking.items == ITEMS and "UNAVAILABLE" not in states(ranking).values():
                return ranking
    raise AssertionError("the stream ended")
