"""An HTTP/1.1 client cannot tell the proxy from the server behind it, and its calls are samples."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sidecar.serving.capture.rest.rest import RestObserver
from sidecar.wire.v2.codec import decode_observation
from tests.support.capture_ways import post
from tests.support.models import DigitsModels
from tests.support.rest_upstream import RestUpstream
from tests.support.running_proxy import WAIT_S, RunningProxy
from tests.support.running_sidecar import ENDPOINT, metrics, running, write_profiles

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)
TENSOR = {"name": "x", "datatype": "FP32", "shape": [2, 3], "parameters": {"binary_data_size": 24}}
HEAD = json.dumps({"inputs": [TENSOR]}).encode()
BODY = HEAD + VALUES.tobytes()
INFER = "/v2/models/echo/infer"


@pytest.fixture
def upstream() -> Iterator[RestUpstream]:
    server = RestUpstream()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(upstream: RestUpstream) -> Iterator[RunningProxy]:
    with RunningProxy(upstream.address, ("echo", "fail", "close"), observe=RestObserver) as relayed:
        yield relayed


def request(method: str, target: str, body: bytes = b"", *fields: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: any", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


def said(address: str, *sent: bytes) -> bytes:
    """All that the server answers until it has heard the client's end."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as client:
        for piece in sent:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()


def test_every_byte_is_the_same(upstream: RestUpstream, proxy: RunningProxy) -> None:
    conversations = (
        (request("HEAD", "/v2/health/live"), request("GET", "/v2/health/live")),
        (request("POST", INFER, BODY, f"Inference-Header-Content-Length: {len(HEAD)}"),) * 3,
        (request("POST", INFER, BODY, "Expect: 100-continue"),),
        (
            request("POST", INFER, BODY, "Accept-Encoding: gzip"),
            request("POST", "/v2/models/fail/infer", BODY),
        ),
        (request("POST", "/v2/models/close/infer", BODY),),
        (request("POST", INFER, BODY, "Connection: Upgrade", "Upgrade: h2c"), request("POST", INFER, BODY)),
        (b"what is this\r\n\r\n",),
    )
    for sent in conversations:
        assert said(proxy.address, *sent) == said(upstream.address, *sent)
    assert proxy.eventually(lambda: proxy.proxy.counts.connections == 0)
    echo, fail, close = (proxy.counts(model) for model in ("echo", "fail", "close"))
    assert (echo.seen, echo.sampled, dict(echo.dropped)) == (6, 5, {"undecodable": 1})
    assert (fail.seen, fail.sampled, dict(fail.dropped)) == (1, 0, {"failed_call": 1})
    assert (close.seen, close.sampled, dict(close.dropped)) == (1, 1, {})
    assert proxy.proxy.counts.unreadable_connections == 2
    for observation in proxy.collector.observations:
        batch = decode_observation(observation)
        assert batch.inputs["x"].tolist() == batch.outputs["x"].tolist() == VALUES.tolist()


def test_close_lets_the_open_call_end(proxy: RunningProxy) -> None:
    client = http.client.HTTPConnection(proxy.address, timeout=WAIT_S)
    client.putrequest("POST", INFER)
    client.putheader("Content-Length", str(len(BODY)))
    client.endheaders(BODY[:10])
    assert proxy.eventually(lambda: proxy.intakes["echo"].undecided == 1)
    closing = threading.Thread(target=lambda: proxy.on_loop(proxy.proxy.close(WAIT_S)))
    closing.start()
    assert proxy.eventually(lambda: proxy.proxy.address == "127.0.0.1:0")
    client.send(BODY[10:])
    assert client.getresponse().read() == BODY.replace(b"inputs", b"outputs")
    closing.join(WAIT_S)
    client.close()
    assert proxy.counts("echo").sampled == 1


def test_a_sidecar_ranks_what_passes(
    upstream: RestUpstream, digits_models: DigitsModels, tmp_path: Path
) -> None:
    write_profiles(digits_models, tmp_path)
    capture = {"rest": {"listen": "127.0.0.1:0", "upstream": upstream.address}}
    with running(tmp_path, capture=[capture]) as sidecar:
        for image in digits_models.validation["upright"][:10]:
            tensor = {"name": "X", "datatype": "FP32", "shape": [1, 64], "data": image.tolist()}
            body = json.dumps({"inputs": [tensor]}).encode()
            assert post(sidecar.proxy, {}, body, f"/v2/models/{ENDPOINT}/infer") == 200
        sidecar.scored(10)
        assert metrics(sidecar)["pilotfish_requests_sampled_total", (ENDPOINT,)] == 10
