"""`pilotfish webhook` as a process, asked over TLS as the API server asks."""

from __future__ import annotations

import base64
import copy
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import trustme
import yaml

from sidecar.core.errors import InvalidError
from sidecar.tools.cli import app
from sidecar.tools.webhook.certificate import Certificate
from sidecar.tools.webhook.routes import MAX_BYTES
from tests.support.manifests import admission_review, read

WAIT_S = 60.0
IMAGE = "registry.example.com/pilotfish:1"
POD = read("pod.json")[0]
ASKING = {**POD, "metadata": {**POD["metadata"], "annotations": {"pilotfish/inject": "true"}}}
ASKING["metadata"]["annotations"] |= {"pilotfish/config": "shared", "pilotfish/envoy": "observer"}


class Webhook:
    """A running one, and the API server's side of it."""

    def __init__(self, process: subprocess.Popen[str], port: int, ca: trustme.CA) -> None:
        self.process = process
        self.port = port
        self._context = ssl.create_default_context()
        ca.configure_trust(self._context)

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"https://localhost:{self.port}{path}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S, context=self._context) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def review(self, pod: Any, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        sent = admission_review(pod, **request)
        status, text = self.ask("/mutate", json.dumps(sent).encode())
        assert status == 200
        answered = json.loads(text)
        assert {key: answered[key] for key in ("apiVersion", "kind")} == {
            key: sent[key] for key in ("apiVersion", "kind")
        }
        assert answered["response"]["uid"] == sent["request"]["uid"]
        assert answered["response"]["allowed"] is True
        return dict(answered["response"])


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    return issue(ca, folder, "localhost")


def issue(ca: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
    cert, key = folder / "tls.crt", folder / "tls.key"
    issued = ca.issue_cert(name)
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return cert, key


@pytest.fixture(scope="module")
def webhook(ca: trustme.CA, files: tuple[Path, Path]) -> Iterator[Webhook]:
    program = str(Path(sys.executable).with_name("pilotfish"))
    command = [program, "webhook", "--cert", str(files[0]), "--key", str(files[1]), "--image", IMAGE]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*command, "--listen", "127.0.0.1:0"],
        env={**os.environ, "POD_NAMESPACE": "pilotfish"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Webhook(process, told(process, "serving")["webhook"], ca)
        finally:
            process.terminate()
            assert process.wait(WAIT_S) == 0


def told(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The next line of the log with this event; pytest's time limit ends a vain wait."""
    assert process.stderr is not None
    for line in process.stderr:
        found: dict[str, Any] = json.loads(line)
        if found["event"] == event:
            return found
    raise AssertionError(f"the webhook ended and never said {event!r}")


def injected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - YAML
    path = tmp_path / "pod.yaml"
    path.write_text(yaml.safe_dump(ASKING))
    words = ["-f", str(path), "--config-map", "shared", "--envoy", "observer", "--image", IMAGE]
    assert app(["inject", *words]) == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_patch_makes_what_inject_prints(
    webhook: Webhook, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, dry_run: bool
) -> None:
    response = webhook.review(ASKING, dryRun=dry_run)
    assert response["patchType"] == "JSONPatch"
    patch = json.loads(base64.b64decode(response["patch"]))
    mutated = jsonpatch.apply_patch(copy.deepcopy(ASKING), patch)
    assert mutated == injected(tmp_path, capsys)
    # Asked again, as the API server does when another webhook changed the pod since.
    assert "patch" not in webhook.review(mutated)


def test_what_is_not_asked_for_is_skipped(webhook: Webhook) -> None:
    assert webhook.review(POD).keys() == {"uid", "allowed"}
    own = webhook.review(ASKING, namespace="pilotfish")
    assert own["warnings"] == ["pilotfish was not injected: the webhook's own namespace"]
    assert "patch" not in own


def test_a_pod_that_cannot_have_it_is_allowed_with_a_warning(webhook: Webhook) -> None:
    taken = copy.deepcopy(ASKING)
    taken["spec"]["containers"][0]["ports"] = [{"containerPort": 9500}]
    response = webhook.review(taken)
    assert "patch" not in response
    (warning,) = response["warnings"]
    assert "Pod notebook: 'server' listens on 9500, and so would Pilotfish" in warning


def test_what_fails_unforeseen_is_allowed_and_told_in_the_log_without_the_pod(webhook: Webhook) -> None:
    strange = copy.deepcopy(ASKING)
    strange["spec"]["containers"][0] |= {"ports": 7, "env": [{"name": "SECRET", "value": "hunter2"}]}
    response = webhook.review(strange)
    assert response["warnings"] == ["pilotfish was not injected: it failed, see the log of the webhook"]
    line = told(webhook.process, "injection failed")
    assert (line["namespace"], line["pod"]) == ("models", "notebook")
    assert "hunter2" not in json.dumps(line)


def test_what_is_malformed_is_400_with_the_reason(webhook: Webhook) -> None:
    for body, said in ((b"{", "the body is not JSON"), (b"{}", "the body is no AdmissionReview")):
        status, text = webhook.ask("/mutate", body)
        assert (status, said in text) == (400, True)
    assert webhook.ask("/mutate")[0] == 405


def test_what_is_too_large_is_413_and_what_just_fits_is_not(webhook: Webhook) -> None:
    assert webhook.ask("/mutate", b" " * (MAX_BYTES + 1)) == (
        413,
        f"the body has more than {MAX_BYTES} bytes\n",
    )
    assert webhook.ask("/mutate", b" " * MAX_BYTES)[0] == 400
    assert webhook.ask("/healthz") == (200, "ok\n")


def test_plain_text_and_strangers_are_not_talked_to(webhook: Webhook) -> None:
    with pytest.raises((OSError, urllib.error.URLError)):
        urllib.request.urlopen(f"http://localhost:{webhook.port}/healthz", timeout=WAIT_S)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://localhost:{webhook.port}/healthz", timeout=WAIT_S)


def test_a_certificate_is_renewed_while_it_is_in_use(ca: trustme.CA, tmp_path: Path) -> None:
    certificate = Certificate(*issue(ca, tmp_path, "old.example.com"))
    assert not certificate.renew()
    key = (tmp_path / "tls.key").read_bytes()
    _, new_key = issue(ca, tmp_path, "new.example.com")
    fitting = new_key.read_bytes()
    new_key.write_bytes(key)
    with pytest.raises(InvalidError, match=r"tls.crt, .*tls.key: no certificate with its key"):
        certificate.renew()
    assert served(certificate, ca, "old.example.com")
    new_key.write_bytes(fitting)
    assert certificate.renew()
    assert served(certificate, ca, "new.example.com")
    assert not served(certificate, ca, "old.example.com")


def served(certificate: Certificate, ca: trustme.CA, name: str) -> bool:
    """Whether a client that wants this name is content, without a network."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    steps: tuple[Callable[[], None], ...] = (client.do_handshake, server.do_handshake)
    for _ in range(4):
        for step in steps:
            try:
                step()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True


def test_it_has_to_know_its_own_namespace(files: tuple[Path, Path]) -> None:
    words = ["--cert", str(files[0]), "--key", str(files[1]), "--namespace", ""]
    with pytest.raises(InvalidError, match="name it with --namespace or in POD_NAMESPACE"):
        app(["webhook", *words], exit_on_error=False)


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no certificate with its key, as PEM"):
        Certificate(tmp_path / "no.crt", tmp_path / "no.key")
