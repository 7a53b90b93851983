"""An API server in memory: of Kubernetes' API what Helm needs to install, look up, upgrade, test, uninstall.

It stores what it is given and validates nothing; a Pod has ended at once, as `ended` says. No cluster is at
hand.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
# Kinds by group and version, with their plural and whether they live in a namespace.
CORE = {
    "v1": {
        "ConfigMap": ("configmaps", True),
        "Namespace": ("namespaces", False),
        "Pod": ("pods", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True),
    },
    "apps/v1": {"Deployment": ("deployments", True)},
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "admissionregistration.k8s.io/v1": {
        "MutatingWebhookConfiguration": ("mutatingwebhookconfigurations", False)
    },
}
OPERATOR = {
    "monitoring.coreos.com/v1": {
        "PodMonitor": ("podmonitors", True),
        "PrometheusRule": ("prometheusrules", True),
        "ServiceMonitor": ("servicemonitors", True),
    }
}
_PATH = re.compile(
    r"/apis?/(?P<api>v1|[^/]+/[^/]+)(/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(/(?P<name>[^/]+))?"
)
_SCHEMAS = "/openapi/v2"
_SCHEMAS_TYPE = "application/octet-stream"


class Cluster:
    """Serves until the context is left.

    Attributes:
        objects: what there is, by plural and name.
        ended: the phase that Pods end in.
    """

    def __init__(self, folder: Path, apis: Mapping[str, Mapping[str, tuple[str, bool]]]) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.ended = "Succeeded"
        self.apis = apis
        self.kubeconfig = folder / "kubeconfig"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.cluster = self  # type: ignore[attr-defined]
        cluster = {"name": "a", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}
        context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
        self.kubeconfig.write_text(
            yaml.safe_dump({"clusters": [cluster], "contexts": [context], "current-context": "a"})
        )
        # Helm warns of one that others can read.
        self.kubeconfig.chmod(0o600)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def names(self) -> set[tuple[str, str]]:
        """What there is beside Helm's own records."""
        return {key for key in self.objects if not key[1].startswith("sh.helm.release")}

    def answer(
        self, method: str, path: str, query: Mapping[str, list[str]], body: Object
    ) -> tuple[int, Object]:
        """One request."""
        if (found := self._discovery(path)) is not None:
            return 200, found
        match = _PATH.fullmatch(path)
        if match is None:
            return 404, _status(404, path)
        plural, name = match["plural"], match["name"]
        if name is None:
            return self._create(plural, body) if method == "POST" else (200, self._listed(plural, query))
        if (plural, name) not in self.objects:
            return 404, _status(404, name)
        one = self.objects[plural, name]
        if method == "PATCH":
            one = self.objects[plural, name] = _merged(one, body)
        elif method == "PUT":
            one = self.objects[plural, name] = body
        elif method == "DELETE":
            del self.objects[plural, name]
        return 200, one

    def _create(self, plural: str, body: Object) -> tuple[int, Object]:
        name = body["metadata"]["name"]
        if (plural, name) in self.objects:
            return 409, _status(409, name)
        if plural == "pods":
            body["status"] = {"phase": self.ended}
        body["metadata"] |= {"uid": name, "resourceVersion": "1"}
        self.objects[plural, name] = body
        return 201, body

    def _discovery(self, path: str) -> Object | None:
        if path == "/version":
            return {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
        if path == _SCHEMAS:
            return {}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = []
            for api in self.apis:
                group, _, version = api.rpartition("/")
                one = {"groupVersion": api, "version": version}
                if group:
                    groups.append({"name": group, "versions": [one], "preferredVersion": one})
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        api = path.removeprefix("/api/").removeprefix("/apis/")
        if api not in self.apis:
            return None
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        resources = [
            {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs}
            for kind, (plural, namespaced) in self.apis[api].items()
        ]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": resources}

    def _listed(self, plural: str, query: Mapping[str, list[str]]) -> Object:
        labels = dict(part.split("=") for one in query.get("labelSelector", ()) for part in one.split(","))
        fields = dict(part.split("=") for one in query.get("fieldSelector", ()) for part in one.split(","))
        name = fields.get("metadata.name")
        items = [
            one
            for (its_plural, its_name), one in self.objects.items()
            if its_plural == plural
            and name in {None, its_name}
            and labels.items() <= one["metadata"].get("labels", {}).items()
        ]
        api, kind = next(
            (api, kind)
            for api, kinds in self.apis.items()
            for kind, (its_plural, _) in kinds.items()
            if its_plural == plural
        )
        return {
            "kind": f"{kind}List",
            "apiVersion": api,
            "metadata": {"resourceVersion": "1"},
            "items": items,
        }


class _Handler(BaseHTTPRequestHandler):
    def _serve(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        cluster: Cluster = self.server.cluster  # type: ignore[attr-defined]
        status, answer = cluster.answer(self.command, url.path, query, json.loads(body) if body else {})
        # Nothing ever happens to watch: what is asked for is there when it is listed. No kind has a schema:
        # an empty message of that type says so.
        empty = "watch" in query or url.path == _SCHEMAS
        sent = b"" if empty else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", _SCHEMAS_TYPE if url.path == _SCHEMAS else "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _status(code: int, name: str) -> Object:
    reason = {404: "NotFound", 409: "AlreadyExists"}[code]
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**status, "code": code, "reason": reason, "message": f"{name}: {reason}"}


def _merged(old: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """A strategic merge patch, as far as Helm sends it: lists of named entries are merged by name."""
    if isinstance(old, list) and isinstance(patch, list) and all(_named(one) for one in (*old, *patch)):
        changes = {one["name"]: one for one in patch}
        kept = [_merged(one, changes.pop(one["name"], {})) for one in old]
        return [*kept, *changes.values()]
    if not isinstance(old, dict) or not isinstance(patch, dict):
        return patch
    changed = {
        key: _merged(old.get(key), value)
        for key, value in patch.items()
        if value is not None and not key.startswith("$")
    }
    return {**{key: value for key, value in old.items() if key not in patch}, **changed}


def _named(one: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(one, dict) and "name" in one
