"""The manifests that injection is tested with, and ways to look into what it made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sidecar.tools.injection.containers import Envoy, Injection, Models
from sidecar.tools.injection.manifests import read_manifests
from sidecar.tools.injection.ports import Listening
from sidecar.tools.injection.workloads import Document, kind_of, pod_spec

FOLDER = Path(__file__).parents[1] / "golden" / "manifests"
MANIFESTS = tuple(sorted(path.name for path in FOLDER.iterdir()))
LISTENING = Listening(9500, 9400, (("observer-9002", 9002),), (), relays=False, grace_s=40, known=True)
INJECTION = Injection("pilotfish:test", LISTENING)
WITH_ENVOY = Injection("pilotfish:test", LISTENING, config_map="shared", envoy=Envoy())
CLASSIC = Injection("pilotfish:test", LISTENING, classic=True)
FILES = {"pilotfish.yaml": "endpoints: []\n"}


def read(name: str) -> list[Document]:
    return read_manifests((FOLDER / name).read_text(encoding="utf-8"), name)


def with_models(volume: str) -> Injection:
    return Injection("pilotfish:test", LISTENING, models=Models(volume))


def flat(documents: list[Document]) -> list[Document]:
    """Objects, also those of lists."""
    return [one for document in documents for one in document.get("items", [document])]


def workload(documents: list[Document], name: str) -> Document:
    found = [
        one for one in flat(documents) if one["metadata"].get("name") == name and kind_of(one) is not None
    ]
    assert len(found) == 1
    return found[0]


def pod_of(document: Document) -> dict[str, Any]:
    kind = kind_of(document)
    assert kind is not None
    return pod_spec(document, kind)


def names(entries: list[dict[str, Any]] | None) -> list[str]:
    return [one["name"] for one in entries or ()]


def admission_review(pod: Document | None, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What the API server sends for a pod that is being made."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "models",
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "groups": ["system:serviceaccounts", "system:authenticated"],
            },
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            **request,
        },
    }
