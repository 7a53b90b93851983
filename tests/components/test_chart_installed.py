"""Helm installs, upgrades, tests and uninstalls the chart, on an API server that stores what it is given."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.components.cluster_stub import CORE, OPERATOR, Cluster
from tests.components.helm_chart import CHART, CI, helm

SECRET = ("secrets", "fish-pilotfish-webhook-tls")
WEBHOOK = ("mutatingwebhookconfigurations", "fish-pilotfish-webhook.ml")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    # Helm keeps what it discovered there.
    monkeypatch.setenv("HOME", str(tmp_path))
    with Cluster(tmp_path, CORE) as one:
        yield one


def on(cluster: Cluster, *words: str | Path) -> subprocess.CompletedProcess[str]:
    result = helm(*words, "--kubeconfig", cluster.kubeconfig, "--namespace", "ml")
    assert result.returncode == 0, result.stderr
    return result


def apply(cluster: Cluster, verb: str, values: Path) -> str:
    return on(cluster, verb, "fish", CHART, "--values", values).stdout


def test_what_is_made_by_itself_follows_from_what_the_cluster_has(cluster: Cluster) -> None:
    apply(cluster, "install", CI["claim"])
    assert not {"servicemonitors", "prometheusrules"} & {plural for plural, _ in cluster.names()}


def test_the_prometheus_operator_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Cluster(tmp_path, CORE | OPERATOR) as cluster:
        said = apply(cluster, "install", CI["claim"])
        made = {("servicemonitors", "fish-pilotfish"), ("prometheusrules", "fish-pilotfish")}
        assert made | {("configmaps", "fish-pilotfish-dashboard")} <= cluster.names()
    assert "Prometheus scrapes it by the ServiceMonitor fish-pilotfish" in said
    assert "exec deployment/fish-pilotfish -c pilotfish -- pilotfish ranking --endpoint digits" in said


def test_helm_test_tells_success_from_failure(cluster: Cluster) -> None:
    apply(cluster, "install", CI["configmap"])
    assert ("pods", "fish-pilotfish-test") not in cluster.names()
    assert "Phase:          Succeeded" in on(cluster, "test", "fish").stdout
    assert ("pods", "fish-pilotfish-test") in cluster.names()
    cluster.ended = "Failed"
    with pytest.raises(AssertionError, match="fish-pilotfish-test failed"):
        on(cluster, "test", "fish")


def test_the_certificate_is_kept_until_its_secret_is_gone(cluster: Cluster, tmp_path: Path) -> None:
    def certificate() -> tuple[dict[str, str], str]:
        data: dict[str, str] = cluster.objects[SECRET]["data"]
        return data, cluster.objects[WEBHOOK]["webhooks"][0]["clientConfig"]["caBundle"]

    apply(cluster, "install", CI["webhook"])
    first = certificate()
    assert first[0]["ca.crt"] == first[1]

    values: dict[str, Any] = yaml.safe_load(CI["webhook"].read_text())
    values["webhook"]["timeoutSeconds"] = 9
    changed = tmp_path / "values.yaml"
    changed.write_text(yaml.safe_dump(values))
    apply(cluster, "upgrade", changed)
    assert cluster.objects[WEBHOOK]["webhooks"][0]["timeoutSeconds"] == 9
    assert certificate() == first

    del cluster.objects[SECRET]
    apply(cluster, "upgrade", changed)
    second = certificate()
    assert second[0]["ca.crt"] == second[1] != first[1]


def test_nothing_is_left_when_it_is_uninstalled(cluster: Cluster) -> None:
    apply(cluster, "install", CI["webhook"])
    assert WEBHOOK in cluster.names()
    on(cluster, "uninstall", "fish")
    assert cluster.objects == {}
