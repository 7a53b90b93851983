"""Values that make no sense are refused before anything is installed, in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.components.helm_chart import CI, helm, template

ENDPOINT = "config.endpoints[0].name=a,config.endpoints[0].incumbent=a"
CANDIDATE = "config.endpoints[0].candidates[0].name=a,config.endpoints[0].candidates[0].profile=a"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("replicaCount=2", "(root): Additional property replicaCount is not allowed"),
        ("image.tga=1", "image: Additional property tga is not allowed"),
        ("replicas=two", "replicas: Invalid type. Expected: integer, given: string"),
        (
            "models.source=pvc",
            'models.source must be one of the following: "none", "persistentVolumeClaim", "configMap"',
        ),
        (
            "metrics.rules.create=true",
            'metrics.rules.create must be one of the following: "never", "auto", "always"',
        ),
        ("captures[0].name=Capture_1", "captures.0.name: Does not match pattern '^[a-z]"),
        ("captures[0].name=a,captures[0].port=70000", "captures.0.port: Must be less than or equal to 65535"),
        ("image.digest=latest", "image.digest: Does not match pattern '^(sha256:[0-9a-f]{64})?$'"),
        ("resources.limits.memory=much", "resources.limits.memory: Does not match pattern"),
        ("podLabels.cost=1", "podLabels.cost: Invalid type. Expected: string, given: integer"),
        ("securityContext.runAsUser=0", "securityContext.runAsUser: Must be greater than or equal to 1"),
        ("securityContext.privileged=true", "securityContext: Additional property privileged is not allowed"),
        ("webhook.timeoutSeconds=60", "webhook.timeoutSeconds: Must be less than or equal to 30"),
        ("extraEnv[0].value=a", "extraEnv.0: name is required"),
        (
            "config.endpoints[0].sampel.fraction=1",
            "config.endpoints.0: Additional property sampel is not allowed",
        ),
        ("config.log.level=loud", "config.log.level must be one of the following"),
        (
            f"{ENDPOINT},{CANDIDATE},config.endpoints[0].candidates[0].onnx.pth=a",
            "config.endpoints.0.candidates.0.onnx: Additional property pth is not allowed",
        ),
    ],
)
def test_the_schema_refuses_and_says_where(values: str, said: str) -> None:
    result = template(CI["configmap"], "--set", values)
    assert result.returncode == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("existingConfigMap=digits", "config and existingConfigMap are both given: keep one"),
        ("config.serve.grpc=0.0.0.0:1", "config.serve.grpc is the chart's: leave it out"),
        ("captures[0].name=http", "captures: http (9001) is taken"),
        ("captures[0].port=9500", "captures: capture (9500) is taken"),
        ("captures[0].port=9002", "digits has a proxy on port 9001, which no entry of captures names"),
        ("models.source=init", "models.source is init: give models.init.image and command"),
        ("models.configMap.name=", "models.source is configMap: give models.configMap.name"),
        (
            "webhook.enabled=true,webhook.certificate.source=secret",
            "give webhook.certificate.secretName and caBundle",
        ),
    ],
)
def test_contradictions_are_refused_with_the_mend(values: str, said: str, tmp_path: Path) -> None:
    # With `--set` a list must be there to have one of its entries changed.
    path = tmp_path / "values.yaml"
    path.write_text(CI["configmap"].read_text() + "captures: [{name: capture, port: 9001}]\n")
    result = template(path, "--set", values)
    assert result.returncode == 1
    # Apart from the way to it, which Helm puts on the first line.
    assert any(said in line for line in result.stderr.splitlines()[1:])


def test_image_volumes_need_kubernetes_1_31_or_force() -> None:
    refused = template(CI["image"], version="1.30.5")
    assert refused.returncode == 1
    assert "this is Kubernetes v1.30.5: image volumes need 1.31" in refused.stderr
    assert template(CI["image"], "--set", "models.image.force=true", version="1.30.5").returncode == 0


def test_older_clusters_are_refused() -> None:
    result = template(CI["configmap"], version="1.28.9")
    assert "chart requires kubeVersion: >=1.29.0-0" in result.stderr


def test_without_values_it_says_what_is_missing() -> None:
    result = helm("template", "fish", CI["configmap"].parents[1], "--kube-version", "1.31.0")
    assert "\nconfig.endpoints is empty" in result.stderr
