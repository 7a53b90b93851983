"""Clients of a real model server behind the built-in proxy, and what Pilotfish must make of their traffic."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from pilotfish.v1 import ranking_pb2
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.tensors import Array
from tests.components.rankings import INCUMBENT, ITEMS, assert_same, whole
from tests.components.server_process import NAMES, ServerProcess, behind
from tests.support.capture_ways import Call
from tests.support.running_sidecar import ENDPOINT, WAIT_S, RunningSidecar, configuration, metrics, write
from tests.support.v2_upstream import V2Message

# A request's body and its headers.
Body = tuple[bytes, dict[str, str]]


def json_body(images: Array) -> Body:
    tensor = {"name": "image", "datatype": "FP32", "shape": images.shape, "data": images.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}


def binary_body(images: Array) -> Body:
    size = {"binary_data_size": images.nbytes}
    tensor = {"name": "image", "datatype": "FP32", "shape": images.shape, "parameters": size}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }
    return head + images.tobytes(), headers


def assert_grpc_traffic_is_ranked(
    server: ServerProcess, folder: Path, live: Array, expected: ranking_pb2.Ranking
) -> None:
    """Raw and typed requests in turn, each answered in its own form; one of a wrong shape, INTERNAL."""
    with (
        _relayed("proxy", server.address, server, folder) as sidecar,
        grpc.insecure_channel(sidecar.proxy) as channel,
    ):
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(_raw(live[:1, :63]), timeout=WAIT_S)
        assert refused.value.code() is grpc.StatusCode.INTERNAL
        for image, form in zip(live[:ITEMS], itertools.cycle((_raw, _typed)), strict=False):
            answer = stub.ModelInfer(form(image[None]), timeout=WAIT_S)
            assert bool(answer.raw_output_contents) == (form is _raw)
            assert bool(answer.outputs[0].contents.fp32_contents) == (form is _typed)
        _assert_ranked(sidecar, expected)


def assert_rest_traffic_is_ranked(
    server: ServerProcess,
    folder: Path,
    live: Array,
    expected: ranking_pb2.Ranking,
    *bodies: Callable[[Array], Body],
) -> None:
    """Requests of these bodies in turn; one of a wrong shape is an error."""
    with _relayed("rest", server.http_address, server, folder) as sidecar:
        client = http.client.HTTPConnection(sidecar.proxy, timeout=WAIT_S)

        def status(body: Body) -> int:
            client.request("POST", f"/v2/models/{INCUMBENT}/infer", *body)
            with client.getresponse() as response:
                response.read()
                return response.status

        assert status(json_body(live[:1, :63])) == http.HTTPStatus.INTERNAL_SERVER_ERROR
        # After an error of its own MLServer ends the connection without a word.
        client.close()
        for image, form in zip(live[:ITEMS], itertools.cycle(bodies), strict=False):
            assert status(form(image[None])) == http.HTTPStatus.OK
        client.close()
        _assert_ranked(sidecar, expected)


@contextmanager
def _relayed(kind: str, upstream: str, server: ServerProcess, folder: Path) -> Iterator[RunningSidecar]:
    capture = {kind: {"listen": "127.0.0.1:0", "upstream": upstream, "model": INCUMBENT}}
    config = configuration(capture=[capture], candidates=[behind(server, name) for name in NAMES])
    with RunningSidecar(write(folder, config)) as sidecar:
        yield sidecar


def _assert_ranked(sidecar: RunningSidecar, expected: ranking_pb2.Ranking) -> None:
    found = sidecar.ranking_when(whole)
    told = metrics(sidecar)
    assert_same(found, expected)
    assert told["pilotfish_requests_seen_total", (ENDPOINT,)] == ITEMS + 1
    assert told["pilotfish_requests_sampled_total", (ENDPOINT,)] == ITEMS
    assert told["pilotfish_requests_dropped_total", (ENDPOINT, "failed_call")] == 1
    # The live answers are the incumbent's, so nobody asked it a second time.
    assert told["pilotfish_incumbent_answers_seen_total", (ENDPOINT,)] == ITEMS
    assert told["pilotfish_shadow_items_total", (ENDPOINT, INCUMBENT)] == 0


def _raw(images: Array) -> V2Message:
    return Call({"image": images}, model=INCUMBENT).request


def _typed(images: Array) -> V2Message:
    tensor = service_pb2.ModelInferRequest.InferInputTensor(
        name="image",
        datatype="FP32",
        shape=images.shape,
        contents={"fp32_contents": images.ravel().tolist()},
    )
    return service_pb2.ModelInferRequest(model_name=INCUMBENT, inputs=[tensor])
