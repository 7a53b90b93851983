from __future__ import annotations

import base64
import copy
import json
from typing import Any

import jsonpatch
import pytest

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.admission import Verdict, answer, decide, read_request
from sidecar.tools.injection.containers import Envoy, Injection, Models
from sidecar.tools.injection.inject import inject_pod
from sidecar.tools.injection.ports import COPIES_BY_DEFAULT, PERHAPS_RELAYS
from tests.support.manifests import admission_review, read

INJECTION = Injection("pilotfish:test", PERHAPS_RELAYS, envoy=Envoy("envoy:test"), memory="2Gi")
POD = read("pod.json")[0]


def asking(**annotations: str) -> dict[str, Any]:
    """A pod that asks by these annotations."""
    pod = copy.deepcopy(POD)
    pod["metadata"]["annotations"] = {
        f"pilotfish/{key.replace('_', '-')}": one for key, one in annotations.items()
    }
    return pod


def decided(pod: dict[str, Any], **request: Any) -> Verdict:  # noqa: ANN401 - JSON
    return decide(read_request(json.dumps(admission_review(pod, **request)).encode()), INJECTION, "pilotfish")


@pytest.mark.parametrize(
    ("annotations", "injection"),
    [
        ({}, Injection("pilotfish:test", PERHAPS_RELAYS, memory="2Gi")),
        ({"envoy": "none"}, Injection("pilotfish:test", PERHAPS_RELAYS, memory="2Gi")),
        (
            {"envoy": "mirror", "models_volume": "work:/m"},
            Injection(
                "pilotfish:test",
                COPIES_BY_DEFAULT,
                envoy=Envoy("envoy:test"),
                models=Models("work", "/m"),
                memory="2Gi",
            ),
        ),
    ],
)
def test_a_pod_gets_what_it_asks_for(annotations: dict[str, str], injection: Injection) -> None:
    pod = asking(inject="true", config="shared", **annotations)
    verdict = decided(pod)
    response = answer("u", verdict)["response"]
    assert (response["uid"], response["allowed"], response["patchType"]) == ("u", True, "JSONPatch")
    patch = json.loads(base64.b64decode(response["patch"]))
    assert jsonpatch.apply_patch(copy.deepcopy(pod), patch) == inject_pod(pod, injection, "shared")
    assert "warnings" not in response


@pytest.mark.parametrize(
    ("pod", "request_", "why", "warn"),
    [
        (POD, {}, "not asked for by pilotfish/inject", False),
        (asking(inject="yes", config="shared"), {}, "not asked for", False),
        (asking(inject="true", config="shared", injected="{}"), {}, "injected already", False),
        (asking(inject="true", config="shared"), {"operation": "UPDATE"}, "no pod is being made", False),
        (asking(inject="true", config="shared"), {"subResource": "status"}, "no pod is being made", False),
        (
            {"kind": "Deployment"},
            {"kind": {"group": "apps", "kind": "Deployment"}},
            "no pod is being made",
            False,
        ),
        (asking(inject="true", config="shared"), {"namespace": "pilotfish"}, "own namespace", True),
        (asking(inject="true"), {}, "name the ConfigMap", True),
        (asking(inject="true", config="shared", envoy="istio"), {}, "none of mirror, observer, none", True),
        (
            asking(inject="true", config="shared", models_volume="x"),
            {},
            "Pod notebook: has no volume 'x'",
            True,
        ),
        (asking(inject="true", config="shared", models_volume=":"), {}, "write the name of a volume", True),
    ],
)
def test_every_other_pod_is_allowed_as_it_is(
    pod: dict[str, Any], request_: dict[str, Any], why: str, *, warn: bool
) -> None:
    verdict = decided(pod, **request_)
    assert verdict.patch == ()
    assert why in verdict.why
    response = answer("u", verdict)["response"]
    assert response["allowed"]
    assert "patch" not in response
    assert response.get("warnings") == ([f"pilotfish was not injected: {verdict.why}"] if warn else None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[]", "no AdmissionReview of admission.k8s.io/v1"),
        (b'{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}', "no AdmissionReview of"),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "no request with a uid"),
        (json.dumps(admission_review(POD, uid="")).encode(), "no request with a uid"),
        (json.dumps(admission_review(None)).encode(), "no object"),
    ],
)
def test_what_is_no_admission_review_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        read_request(body)
