"""The chart's webhook: its certificate, and which pods it is asked about. No API server is at hand."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.components.helm_chart import CI, matching, rendered, the
from tests.support.manifests import admission_review, read

PROGRAM = Path(sys.executable).with_name("pilotfish")
POD = read("pod.json")[0]
POD["metadata"]["annotations"] = {"pilotfish/inject": "true", "pilotfish/config": "shared"}


def webhook(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = the(objects, "MutatingWebhookConfiguration", "fish-pilotfish-webhook.ml")["webhooks"]
    assert isinstance(one, dict)
    return one


def test_it_is_asked_about_annotated_pods_alone() -> None:
    conditions = [one["expression"] for one in webhook(rendered(CI["webhook"]))["matchConditions"]]
    annotations = [
        None,
        {},
        {"a": "b"},
        {"pilotfish/inject": "false"},
        {"pilotfish/inject": "true", "a": "b"},
    ]
    pods = [{"metadata": {"name": "a"} if one is None else {"annotations": one}} for one in annotations]
    assert matching(conditions, pods) == [False, False, False, False, True]


def test_its_pod_serves_by_its_certificate_and_injects(tmp_path: Path) -> None:
    objects = rendered(CI["webhook"])
    client_config = webhook(objects)["clientConfig"]
    name = f"{client_config['service']['name']}.{client_config['service']['namespace']}.svc"
    secret = the(objects, "Secret", "fish-pilotfish-webhook-tls")["data"]
    for key in ("tls.crt", "tls.key"):
        (tmp_path / key).write_bytes(b64decode(secret[key]))
    client = ssl.create_default_context(cadata=b64decode(client_config["caBundle"]).decode())
    with serving(objects, tmp_path) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            asked(port, client, "another.ml.svc", "/healthz")
        assert asked(port, client, name, "/healthz")[0] == HTTPStatus.OK
        for namespace, injected in (("models", True), ("ml", False)):
            review = admission_review(POD, namespace=namespace)
            status, text = asked(port, client, name, client_config["service"]["path"], json.dumps(review))
            assert status == HTTPStatus.OK
            assert ("patch" in json.loads(text)["response"]) is injected


@contextmanager
def serving(objects: list[dict[str, Any]], tls: Path) -> Iterator[int]:
    """The pod's container as a process: its own arguments, but for the folder and the port."""
    (container,) = the(objects, "Deployment", "fish-pilotfish-webhook")["spec"]["template"]["spec"][
        "containers"
    ]
    here = {"/tls/tls.crt": f"{tls}/tls.crt", "/tls/tls.key": f"{tls}/tls.key", "0.0.0.0:9443": "127.0.0.1:0"}
    process = subprocess.Popen(  # noqa: S603 - our own program
        [PROGRAM, *(here.get(word, word) for word in container["args"])],
        env={**os.environ, "POD_NAMESPACE": "ml"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        try:
            lines = map(json.loads, process.stderr)
            yield next(line["webhook"] for line in lines if line["event"] == "serving")
        finally:
            process.terminate()


def asked(
    port: int, client: ssl.SSLContext, name: str, path: str, body: str | None = None
) -> tuple[int, str]:
    """As the API server asks: by the name of the service, wherever that is."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        connection = http.client.HTTPConnection(name)
        connection.sock = client.wrap_socket(plain, server_hostname=name)
        with closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()


def test_it_leaves_its_own_and_the_excluded_namespaces_alone() -> None:
    made = webhook(rendered(CI["webhook"]))
    by_name, by_label, *_ = made["namespaceSelector"]["matchExpressions"]
    assert by_name["operator"] == by_label["operator"] == "NotIn"
    assert {"ml", "kube-system"} <= set(by_name["values"])
    assert (by_label["key"], by_label["values"]) == ("pilotfish/inject", ["disabled"])
    assert made["failurePolicy"] == "Ignore"
