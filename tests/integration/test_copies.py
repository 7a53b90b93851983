"""Mirror, observer and events over real sockets: real clients, floods, and ends in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import queue
import socket
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.errors import UnavailableError
from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.ext_proc.ext_proc import PROCESS
from sidecar.serving.capture.mirror import mirror
from tests.support.capture_ways import UNLIMITED, Call, by_events_json, event, observed, post, told_by_envoy
from tests.support.models import DigitsModels
from tests.support.running_proxy import WAIT_S, running_mirror, running_observer
from tests.support.running_sidecar import ENDPOINT, RunningSidecar, configuration, write, write_profiles

CALL = Call({"x": np.arange(6, dtype=np.float32).reshape(1, 6)})


def test_a_real_client_is_content_with_the_mirror() -> None:
    with running_mirror(("echo",)) as running, triton.InferenceServerClient(running.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("echo")
        tensor = triton.InferInput("x", [1, 6], "FP32")
        tensor.set_data_from_numpy(CALL.inputs["x"])
        assert client.infer("echo", [tensor]).get_response() == service_pb2.ModelInferResponse()
        with pytest.raises(triton.InferenceServerException) as caught:
            client.get_model_metadata("echo")
        assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
        assert running.counts("echo").sampled == 1


@pytest.mark.parametrize("make", [running_mirror, running_observer])
def test_health_checks_are_answered(make: Any) -> None:  # noqa: ANN401 - either of two makers
    with make(("echo",)) as running, grpc.insecure_channel(running.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # its methods are set at run time
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(health.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_what_speaks_something_else_is_cut_off_and_counted() -> None:
    with running_mirror(("echo",)) as running:
        host, _, port = running.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while client.recv(1000):
                    pass
        assert running.eventually(lambda: running.capture.counts.unreadable_connections == 1)


@pytest.mark.parametrize(("grace_s", "sampled"), [(WAIT_S, 1), (0.0, 0)])
def test_open_calls_end_within_the_grace_and_no_later(grace_s: float, sampled: int) -> None:
    told: queue.Queue[bytes | None] = queue.Queue()
    messages = list(observed(told_by_envoy(CALL)))
    with running_observer(("echo",)) as running, grpc.insecure_channel(running.address, UNLIMITED) as channel:
        process: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(PROCESS.decode())
        stream = process(iter(told.get, None), timeout=WAIT_S)
        for message in messages[:2]:
            told.put(message)
        assert running.eventually(lambda: running.intakes["echo"].undecided == 1)
        closing = threading.Thread(target=lambda: running.on_loop(running.capture.close(grace_s)))
        closing.start()
        assert running.eventually(lambda: running.capture.address == "127.0.0.1:0")
        for message in messages[2:] if grace_s else []:
            told.put(message)
        with contextlib.suppress(grpc.RpcError):
            assert list(stream) == []
        told.put(None)
        closing.join(WAIT_S)
        assert not closing.is_alive()
        counts = running.counts("echo")
        assert (counts.seen, counts.sampled) == (1, sampled)


def test_an_address_that_is_taken_is_told() -> None:
    async def live() -> None:
        first = CopyServer("127.0.0.1:0", "mirror.listen", mirror.begin, {})
        await first.start()
        second = CopyServer(first.address, "mirror.listen", mirror.begin, {})
        with pytest.raises(UnavailableError, match=r"change `mirror\.listen`"):
            await second.start()
        await asyncio.gather(first.close(WAIT_S), first.close(WAIT_S))

    asyncio.run(live())


def test_a_path_of_no_capture_is_not_found() -> None:
    with by_events_json() as way:
        assert post(way.running.address, event("any", "1", CALL), b"", path="/other") == 404
        with contextlib.closing(http.client.HTTPConnection(way.running.address, timeout=WAIT_S)) as client:
            for identity in ("1", "2"):
                client.request("POST", "/events", b"x" * 3_000_000, event("no.inference", identity, CALL))
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (400, b"")
        assert way.running.capture.counts.unreadable_calls == 2


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copies")
    write_profiles(digits_models, path)
    return path


@pytest.fixture
def sidecar(folder: Path) -> Iterator[RunningSidecar]:
    captures = [
        {"mirror": {"listen": "127.0.0.1:0"}},
        {"observer": {"listen": "127.0.0.1:0"}},
        {"cloudevents": {}},
    ]
    with RunningSidecar(write(folder, configuration(capture=captures))) as running:
        yield running


def test_copies_of_every_kind_are_ranked_together(
    sidecar: RunningSidecar, digits_models: DigitsModels
) -> None:
    addresses = {place.way: one.address for place, one in sidecar.sidecar.listeners.running.items()}
    images = digits_models.validation["upright"][:30]
    calls = [Call({"X": image[None]}, model=ENDPOINT) for image in images]
    with grpc.insecure_channel(addresses["mirror"]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for call in calls:
            stub.ModelInfer(call.request, timeout=WAIT_S)
    address = sidecar.http.removeprefix("http://")
    for number, image in enumerate(images):
        identity = str(uuid.uuid4())
        tensor = {"name": "X", "datatype": "FP32", "shape": [1, 64], "data": image.tolist()}
        answer = {"name": "probabilities", "datatype": "FP32", "shape": [1, 10], "data": [0.1] * 10}
        v2 = {"inputs": [tensor]}, {"outputs": [answer]}
        v1 = {"instances": [{"X": image.tolist()}]}, {"predictions": [{"probabilities": [0.1] * 10}]}
        for kind, content in zip(("request", "response"), v2 if number % 2 else v1, strict=True):
            fields = event(f"org.kubeflow.serving.inference.{kind}", identity, calls[0])
            assert post(address, fields, json.dumps(content).encode()) == 200
    sidecar.scored(60)
    with urllib.request.urlopen(f"{sidecar.http}/metrics", timeout=WAIT_S) as response:
        families = text_string_to_metric_families(response.read().decode())
    found = {
        (sample.name, sample.labels.get("capture", sample.labels.get("endpoint"))): sample.value
        for family in families
        for sample in family.samples
    }
    assert found["pilotfish_requests_seen_total", ENDPOINT] == 60
    assert found["pilotfish_requests_sampled_total", ENDPOINT] == 60
    assert found["pilotfish_incumbent_answers_seen_total", ENDPOINT] == 30
    assert found["pilotfish_capture_connections_opened_total", "mirror"] == 1
    assert ("pilotfish_capture_connections", "cloudevents") not in found


def test_captures_come_and_go_with_the_file(folder: Path, sidecar: RunningSidecar) -> None:
    async def reload() -> None:
        sidecar.sidecar._watch.changed()
        await sidecar.sidecar._reload()

    write(folder, configuration(capture=[{"cloudevents": {"path": "/other"}}]))
    sidecar.on_loop(reload())
    assert [tuple(place) for place in sidecar.sidecar.listeners.running] == [("cloudevents", "/other")]
    address = sidecar.http.removeprefix("http://")
    fields = event("org.kubeflow.serving.inference.request", "1", Call({}, model=ENDPOINT))
    assert post(address, fields, b"{}") == 404
    assert post(address, fields, b"{}", path="/other") == 200
