"""The chart, by a real Helm: it lints, renders for every Kubernetes, validates strictly, and is what it was.

To take a wanted change of what is rendered: GOLDEN=write make test-components
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.config import load_config
from tests.components.helm_chart import APIS, CHART, CI, VERSIONS, faults, helm, rendered, the

GOLDEN = Path(__file__).parents[1] / "golden" / "chart"
# Where a file of values needs a later Kubernetes than the chart does.
SINCE = {"image": "1.31.0"}


def versions(name: str) -> tuple[str, ...]:
    return VERSIONS[VERSIONS.index(SINCE.get(name, VERSIONS[0])) :]


@pytest.mark.parametrize("name", CI)
def test_it_lints(name: str) -> None:
    result = helm("lint", "--strict", CHART, "--values", CI[name])
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", CI)
def test_it_renders_the_same_for_every_kubernetes_and_validates(name: str) -> None:
    made = {
        version: rendered(CI[name], version=version, apis=APIS.get(name, ())) for version in versions(name)
    }
    objects = next(iter(made.values()))
    assert faults(objects, versions(name)) == []
    known = without_what_changes(objects)
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(yaml.safe_dump_all(known))
    for version, others in made.items():
        assert yaml.safe_dump_all(without_what_changes(others)) == golden.read_text(), version


def without_what_changes(objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Certificates are made anew each time; what is taken from files is compared with them below."""
    known = copy.deepcopy(list(objects))
    for one in known:
        if one["kind"] == "Secret":
            one["data"] = dict.fromkeys(one["data"], "made anew")
        elif one["kind"] == "MutatingWebhookConfiguration":
            for webhook in one["webhooks"]:
                if len(webhook["clientConfig"].get("caBundle", "")) > 100:
                    webhook["clientConfig"]["caBundle"] = "made anew"
        elif one["kind"] == "PrometheusRule":
            one["spec"] = "files/rules.yaml"
        elif (
            one["kind"] == "ConfigMap"
            and {"grafana_dashboard", "grafana_alert"} & one["metadata"]["labels"].keys()
        ):
            one["data"] = dict.fromkeys(one["data"], "a file")
    return known


def test_the_validation_can_fail() -> None:
    objects = rendered(CI["monitoring-forced"])
    the(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"
    the(objects, "Service")["spec"]["ports"][0]["port"] = "grpc"
    del the(objects, "PodMonitor")["spec"]["selector"]
    objects.append({"apiVersion": "v1", "kind": "Fish", "metadata": {"name": "a"}})
    found = faults(objects, VERSIONS[:1])
    assert [fault.split(":")[0] for fault in found] == [
        "apps/v1 Deployment fish-pilotfish 1.29.0",
        "monitoring.coreos.com/v1 PodMonitor fish-pilotfish ",
        "v1 Service fish-pilotfish 1.29.0",
        "v1 Fish a",
    ]


@pytest.mark.parametrize("name", [name for name, path in CI.items() if "\nconfig:" in path.read_text()])
def test_the_configuration_is_one_that_pilotfish_takes(name: str, tmp_path: Path) -> None:
    values = yaml.safe_load(CI[name].read_text())["config"]
    rendered_path, own_path = tmp_path / "pilotfish.yaml", tmp_path / "own.yaml"
    (data,) = (one["data"] for one in rendered(CI[name]) if one["kind"] == "ConfigMap")
    rendered_path.write_text(data["pilotfish.yaml"])
    # The folder that the chart mounts, unless the values name one.
    own_path.write_text(yaml.safe_dump({"models": "/models"} | values))
    assert load_config(rendered_path) == load_config(own_path)


def test_only_what_the_process_cannot_take_replaces_the_pod(tmp_path: Path) -> None:
    values = yaml.safe_load(CI["configmap"].read_text())
    path = tmp_path / "values.yaml"

    def template_of() -> Any:  # noqa: ANN401 - YAML
        path.write_text(yaml.safe_dump(values))
        return the(rendered(path), "Deployment")["spec"]["template"]

    first = template_of()
    values["config"]["endpoints"][0]["sample"] = {"fraction": 0.5}
    assert template_of() == first
    for section, change in (
        ("serve", {"grace": 5}),
        ("scoring", {"cpu_share": 1}),
        ("log", {"level": "debug"}),
        ("traces", {"otlp": "collector:4317"}),
    ):
        values["config"][section] = change
        changed = template_of()
        assert changed != first, section
        first = changed


@pytest.mark.parametrize("name", CI)
def test_pods_keep_to_the_restricted_standard_and_have_no_token(name: str) -> None:
    pods = list(pod_specs(rendered(CI[name])))
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            if container["name"] not in {"envoy", "wait"}:  # which the values bring
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                }
            assert "hostPort" not in str(container)


def pod_specs(objects: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in objects:
        if one["kind"] == "Pod":
            yield one["spec"]
        elif one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]


def test_what_needs_the_prometheus_operator_is_made_where_it_is_or_is_forced() -> None:
    def kinds(*words: str, apis: Sequence[str] = ()) -> set[str]:
        objects = rendered(CI["claim"], *words, apis=apis)
        return {one["kind"] for one in objects} - {"Deployment", "Service", "ServiceAccount", "Pod"}

    operator = ["monitoring.coreos.com/v1"]
    assert kinds() == set()
    assert kinds(apis=operator) == {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert kinds("--set", "metrics.rules.create=always") == {"PrometheusRule"}
    assert kinds("--set", "metrics.monitor.create=never", apis=operator) == {"PrometheusRule", "ConfigMap"}
    # Injected pods are there with the webhook alone.
    assert "PodMonitor" in {one["kind"] for one in rendered(CI["webhook"], apis=operator)}
    assert "PodMonitor" not in {one["kind"] for one in rendered(CI["webhook"])}


def test_rules_and_dashboards_are_the_files() -> None:
    objects = rendered(CI["monitoring-forced"])
    files = CHART / "files"
    assert the(objects, "PrometheusRule")["spec"] == yaml.safe_load((files / "rules.yaml").read_text())
    for name, key, file in (
        ("dashboard", "pilotfish.json", "dashboard.json"),
        ("grafana-alerts", "pilotfish.yaml", "grafana-alerts.yaml"),
    ):
        data = the(objects, "ConfigMap", f"fish-pilotfish-{name}")["data"]
        assert data == {key: (files / file).read_text()}


def test_the_monitors_select_the_pods_and_scrape_a_port_that_is_there() -> None:
    by_service = rendered(CI["monitoring"], apis=APIS["monitoring"])
    by_pod = rendered(CI["monitoring-forced"])
    service = the(by_service, "Service")
    pod = the(by_pod, "Deployment")["spec"]["template"]
    ports = pod["spec"]["containers"][0]["ports"]
    monitors = (
        (the(by_service, "ServiceMonitor"), "endpoints", service, service["spec"]["ports"]),
        (the(by_pod, "PodMonitor"), "podMetricsEndpoints", pod, ports),
    )
    for monitor, key, selected, ports in monitors:
        assert monitor["spec"]["selector"]["matchLabels"].items() <= selected["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"][key]
        assert endpoint["port"] in {port["name"] for port in ports}
        # Without it the operator's own label `endpoint` displaces Pilotfish's, which every query names.
        assert endpoint["honorLabels"] is True
