"""What the webhook answers to an AdmissionReview: always allowed, with a patch where one is wanted.

Annotations of a pod ask for it: `pilotfish/inject: "true"`, `pilotfish/config` names the ConfigMap, and as
needed `pilotfish/envoy` (the capture that Envoy feeds) and `pilotfish/models-volume` (VOLUME or VOLUME:PATH).
"""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final

from sidecar.config.schema import FED_BY_ENVOY
from sidecar.core.errors import InvalidError
from sidecar.tools.injection.containers import Envoy, Injection, read_models_volume
from sidecar.tools.injection.inject import WANTED, inject_pod
from sidecar.tools.injection.patch import json_patch
from sidecar.tools.injection.ports import COPIES_BY_DEFAULT, PERHAPS_RELAYS
from sidecar.tools.injection.workloads import annotations_of, name_of

API: Final = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
CONFIG: Final = "pilotfish/config"
ENVOY: Final = "pilotfish/envoy"
MODELS: Final = "pilotfish/models-volume"
_ENVOYS: Final = (*FED_BY_ENVOY, "none")


@dataclass(frozen=True, slots=True)
class Request:
    """What of an AdmissionReview matters.

    Attributes:
        uid: to be answered with.
        namespace: of the object.
        pod: the object; None where it is no pod that is being made.
    """

    uid: str
    namespace: str
    pod: dict[str, Any] | None

    @property
    def name(self) -> str:
        """Of the pod, or what its name will begin with."""
        return name_of(self.pod or {})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the object: it is allowed.

    Attributes:
        patch: operations; empty: it stays as it is.
        why: in words, why it stays as it is.
        warn: whether the user is told that.
    """

    patch: tuple[dict[str, Any], ...] = ()
    why: str = ""
    warn: bool = False


def read_request(body: bytes) -> Request:
    """Reads an AdmissionReview.

    Raises:
        InvalidError: it is none.
    """
    try:
        review = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"the body is not JSON: {error}") from error
    if not isinstance(review, dict) or {key: review.get(key) for key in API} != API:
        raise InvalidError(f"the body is no {API['kind']} of {API['apiVersion']}")
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str) or not request["uid"]:
        raise InvalidError("the AdmissionReview has no request with a uid")
    kind = request.get("kind")
    made = request.get("operation") == "CREATE" and not request.get("subResource")
    pod = request.get("object")
    if not made or not isinstance(kind, dict) or (kind.get("group"), kind.get("kind")) != ("", "Pod"):
        pod = None
    elif not isinstance(pod, dict):
        raise InvalidError("the AdmissionReview's request has no object")
    return Request(request["uid"], str(request.get("namespace", "")), pod)


def decide(request: Request, injection: Injection, own_namespace: str) -> Verdict:
    """Decides what becomes of a pod.

    Args:
        request: with the pod.
        injection: what every pod gets; the annotations say the rest.
        own_namespace: of the webhook, where nothing is injected.
    """
    if request.pod is None:
        return Verdict(why="no pod is being made")
    annotations = annotations_of(request.pod.get("metadata"))
    if annotations.get(WANTED) != "true":
        return Verdict(why=f"not asked for by {WANTED}")
    if request.namespace == own_namespace:
        return Verdict(why="the webhook's own namespace", warn=True)
    try:
        injected = inject_pod(request.pod, *_asked(annotations, injection))
    except InvalidError as error:
        return Verdict(why=str(error), warn=True)
    patch = tuple(json_patch(request.pod, injected))
    return Verdict(patch, "" if patch else "injected already")


def answer(uid: str, verdict: Verdict) -> dict[str, Any]:
    """The AdmissionReview that is sent back."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if verdict.patch:
        patch = base64.b64encode(json.dumps(verdict.patch).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    if verdict.warn:
        response["warnings"] = [f"pilotfish was not injected: {verdict.why}"]
    return {**API, "response": response}


def _asked(annotations: dict[str, Any], injection: Injection) -> tuple[Injection, str]:
    """What a pod's annotations ask for, and the name of its ConfigMap."""
    config_map = annotations.get(CONFIG)
    if not config_map:
        raise InvalidError(f"name the ConfigMap with the file pilotfish.yaml by the annotation {CONFIG}")
    envoy = annotations.get(ENVOY, "none")
    if envoy not in _ENVOYS:
        raise InvalidError(f"the annotation {ENVOY} is {envoy!r}, and none of {', '.join(_ENVOYS)}")
    models = annotations.get(MODELS)
    wanted = envoy != "none"
    return dataclasses.replace(
        injection,
        listening=COPIES_BY_DEFAULT if wanted else PERHAPS_RELAYS,
        envoy=(injection.envoy or Envoy()) if wanted else None,
        models=None if models is None else read_models_volume(str(models)),
    ), str(config_map)
