"""The chart's webhook: its certificate, and which pods it is asked about. No API server is at hand."""

from __future__ import annotations

import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.components.helm_chart import CI, matching, rendered, the


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


def test_its_certificate_is_of_its_service(tmp_path: Path) -> None:
    objects = rendered(CI["webhook"])
    client_config = webhook(objects)["clientConfig"]
    service = client_config["service"]
    secret = the(objects, "Secret", "fish-pilotfish-webhook-tls")["data"]
    for key in ("tls.crt", "tls.key"):
        (tmp_path / key).write_bytes(b64decode(secret[key]))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=b64decode(client_config["caBundle"]).decode())
    shake_hands(client, server, f"{service['name']}.{service['namespace']}.svc")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "another.ml.svc")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory, as the API server would do it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                continue


def test_it_leaves_its_own_and_the_excluded_namespaces_alone() -> None:
    made = webhook(rendered(CI["webhook"]))
    by_name, by_label, *_ = made["namespaceSelector"]["matchExpressions"]
    assert by_name["operator"] == by_label["operator"] == "NotIn"
    assert {"ml", "kube-system"} <= set(by_name["values"])
    assert (by_label["key"], by_label["values"]) == ("pilotfish/inject", ["disabled"])
    assert made["failurePolicy"] == "Ignore"
