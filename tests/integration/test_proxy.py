"""An unmodified V2 client cannot tell the proxy from the server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.errors import UnavailableError
from sidecar.core.tensors import Array
from sidecar.serving.capture.core.http2 import PREFACE
from sidecar.serving.capture.core.intake import Intake, Sampling
from sidecar.serving.capture.core.relay_server import RelayServer
from sidecar.serving.capture.proxy.observer import ConnectionObserver
from sidecar.wire.v2.codec import decode_observation
from tests.support.running_proxy import WAIT_S, RunningProxy
from tests.support.v2_upstream import Upstream, V2Message

INFER = "/inference.GRPCInferenceService/ModelInfer"
MODELS = ("echo", "fail", "sleep", "together")
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
METADATA = (("x-text", "a b"), ("x-more", "1"), ("x-more", "2"), ("x-bytes-bin", b"\x00\xff\x7f"))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[RunningProxy]:
    with RunningProxy(upstream.address, MODELS) as running:
        yield running


def tensor(name: str, array: Array, datatype: str) -> triton.InferInput:
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


RAW = tensor("INPUT0", np.arange(6, dtype=np.float32).reshape(1, 6), "FP32")
BATCH = tensor("INPUT0", np.arange(48, dtype=np.int64).reshape(8, 6), "INT64")
BATCH_TEXTS = tensor("TEXT", np.array([[b"%d" % row] for row in range(8)], dtype=np.object_), "BYTES")
TEXTS = tensor("TEXT", np.array([[b"one"], [b""], ["zwölf".encode()]], dtype=np.object_), "BYTES")


def typed_request() -> V2Message:
    request = service_pb2.ModelInferRequest(model_name="echo", id="typed")
    made = request.inputs.add(name="INPUT0", datatype="FP32", shape=[2, 2])
    made.contents.fp32_contents.extend([1.0, 2.0, 3.0, 4.0])
    return request


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """All that a client can see of a call."""
    try:
        return ("answer", call().get_response().SerializeToString(deterministic=True))
    except triton.InferenceServerException as error:
        return ("error", error.status(), error.message(), error.debug_details())


@pytest.mark.parametrize(
    ("model", "inputs", "options"),
    [
        ("echo", [RAW], {}),
        ("echo", [RAW], {"request_id": "seven", "client_timeout": 20.0}),
        ("echo", [BATCH, TEXTS], {}),
        ("echo", [TEXTS], {"headers": {"x-text": "a b"}}),
        ("echo", [RAW], {"compression_algorithm": "gzip"}),
        ("echo", [BATCH], {"compression_algorithm": "deflate"}),
        ("fail", [RAW], {}),
        ("nobody", [RAW], {}),
    ],
)
def test_sync_client_sees_the_same(
    upstream: Upstream, proxy: RunningProxy, model: str, inputs: list[Any], options: dict[str, Any]
) -> None:
    with triton.InferenceServerClient(upstream.address) as direct:
        wanted = outcome(lambda: direct.infer(model, inputs, **options))
    with triton.InferenceServerClient(proxy.address) as relayed:
        assert outcome(lambda: relayed.infer(model, inputs, **options)) == wanted


def test_aio_client_sees_the_same(upstream: Upstream, proxy: RunningProxy) -> None:
    async def outcomes(address: str) -> list[tuple[Any, ...]]:
        seen: list[tuple[Any, ...]] = []
        async with triton_aio.InferenceServerClient(address) as client:
            for model, inputs in (("echo", [BATCH, TEXTS]), ("fail", [RAW]), ("nobody", [RAW])):
                try:
                    result = await client.infer(model, inputs)
                    seen.append(("answer", result.get_response().SerializeToString(deterministic=True)))
                except triton.InferenceServerException as error:
                    seen.append(("error", error.status(), error.message()))
            assert await client.is_server_live()
        return seen

    assert asyncio.run(outcomes(proxy.address)) == asyncio.run(outcomes(upstream.address))


def test_raw_bytes_metadata_and_details_are_identical(upstream: Upstream, proxy: RunningProxy) -> None:
    def seen(address: str, request: V2Message) -> tuple[Any, ...]:
        with grpc.insecure_channel(address) as channel:
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(INFER)
            call = method.future(request.SerializeToString(), metadata=METADATA, timeout=WAIT_S)
            answer = None if call.exception() else call.result()
            return (
                answer,
                call.code(),
                call.details(),
                sorted(call.initial_metadata()),
                sorted(call.trailing_metadata()),
            )

    for request in (
        typed_request(),
        service_pb2.ModelInferRequest(model_name="fail"),
        service_pb2.ModelInferRequest(model_name="echo", inputs=[{"name": "X", "shape": [1 << 30]}]),
    ):
        direct = seen(upstream.address, request)
        assert seen(proxy.address, request) == direct
        assert len(direct[4]) > 0 or direct[1] is grpc.StatusCode.INVALID_ARGUMENT
    assert ("initial-x-bytes-bin", b"\x00\xff\x7f") in seen(proxy.address, typed_request())[3]


def test_unknown_method(upstream: Upstream, proxy: RunningProxy) -> None:
    def failed(address: str) -> tuple[Any, ...]:
        with grpc.insecure_channel(address) as channel:
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/some.Other/Method")
            call = method.future(b"x", timeout=WAIT_S)
            return call.code(), call.details()

    assert failed(proxy.address) == failed(upstream.address)
    assert failed(proxy.address)[0] is grpc.StatusCode.UNIMPLEMENTED


def test_stream(upstream: Upstream, proxy: RunningProxy) -> None:
    def seen(address: str) -> list[tuple[Any, Any]]:
        answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        with triton.InferenceServerClient(address) as client:
            client.start_stream(lambda result, error: answers.put((result, error)))
            for model in ("echo", "nobody", "echo"):
                client.async_stream_infer(model, [RAW])
            got = [answers.get(timeout=WAIT_S) for _ in range(5)]
            client.stop_stream()
        return [
            (result and result.get_response().SerializeToString(deterministic=True), error and str(error))
            for result, error in got
        ]

    assert seen(proxy.address) == seen(upstream.address)
    assert proxy.counts("echo").seen == 0


def test_deadline_and_cancellation_reach_the_upstream(upstream: Upstream, proxy: RunningProxy) -> None:
    request = service_pb2.ModelInferRequest(model_name="sleep")
    with grpc.insecure_channel(proxy.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request, timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert upstream.service.cancelled.wait(WAIT_S)
        # Server and client notice a deadline independently; which of them tells the proxy is open.
        after_deadline = dict(proxy.counts("sleep").dropped)
        assert sum(after_deadline.values()) == 1
        upstream.service.began.clear()
        upstream.service.cancelled.clear()
        call = stub.ModelInfer.future(request)
        assert upstream.service.began.wait(WAIT_S)
        call.cancel()
        assert upstream.service.cancelled.wait(WAIT_S)
    cancelled = proxy.counts("sleep").dropped["cancelled"]
    assert cancelled == after_deadline.get("cancelled", 0) + 1


def test_samples_are_what_was_sent_and_answered(proxy: RunningProxy) -> None:
    with triton.InferenceServerClient(proxy.address) as client:
        for compression in (None, "gzip", "deflate"):
            client.infer(
                "echo", [BATCH, BATCH_TEXTS], compression_algorithm=compression, request_id="gzip the answer"
            )
    assert proxy.counts("echo").sampled == 3
    assert len({observation.v2_request for observation in proxy.collector.observations}) == 1
    for observation in proxy.collector.observations:
        batch = decode_observation(observation)
        assert observation.endpoint == "echo-endpoint"
        assert batch.inputs["INPUT0"].shape == (8, 6)
        assert batch.outputs["INPUT0"].tolist() == batch.inputs["INPUT0"].tolist()
        assert batch.outputs["TEXT"].tolist() == [[b"%d" % row] for row in range(8)]


def test_samples_are_accounted_for(proxy: RunningProxy) -> None:
    proxy.intakes["echo"].sampling = Sampling(1.0, 1e9, 1000)
    huge = tensor("INPUT0", np.zeros((1, 1000), dtype=np.float32), "FP32")
    with triton.InferenceServerClient(proxy.address) as client:
        client.infer("echo", [RAW])
        client.infer("echo", [huge])
        client.infer("echo", [huge], compression_algorithm="gzip")
        with pytest.raises(triton.InferenceServerException):
            client.infer("fail", [RAW])
    echo, fail = proxy.counts("echo"), proxy.counts("fail")
    assert (echo.seen, echo.sampled, dict(echo.dropped)) == (3, 1, {"oversize": 2})
    assert (fail.seen, fail.sampled, dict(fail.dropped)) == (1, 0, {"failed_call": 1})


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_five_megabytes(proxy: RunningProxy, fraction: float) -> None:
    proxy.intakes["echo"].sampling = Sampling(fraction, 1e9, 8 << 20)
    array = np.random.default_rng(5).random((1, 5 << 17))
    with triton.InferenceServerClient(proxy.address, channel_args=UNLIMITED) as client:
        response = client.infer("echo", [tensor("INPUT0", array, "FP64")]).get_response()
    assert response.raw_output_contents[0] == array.tobytes()
    assert proxy.counts("echo").sampled == int(fraction)
    assert [len(one.v2_request) > 5 << 20 for one in proxy.collector.observations] == [True] * int(fraction)


def test_a_hundred_calls_at_once_on_one_connection(proxy: RunningProxy) -> None:
    with grpc.insecure_channel(proxy.address) as channel, ThreadPoolExecutor(100) as threads:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        requests = [service_pb2.ModelInferRequest(model_name="together", id=str(n)) for n in range(100)]
        answers = list(threads.map(lambda request: stub.ModelInfer(request, timeout=WAIT_S), requests))
    assert [answer.id for answer in answers] == [request.id for request in requests]
    assert proxy.counts("together").sampled == 100
    assert proxy.proxy.counts.connections_total == 1
    ids = {
        service_pb2.ModelInferRequest.FromString(one.v2_request).id for one in proxy.collector.observations
    }
    assert len(ids) == 100


def test_upstream_stops_and_comes_back(upstream: Upstream, proxy: RunningProxy) -> None:
    with triton.InferenceServerClient(proxy.address) as client:
        client.infer("echo", [RAW])
        upstream.stop()
        with pytest.raises(triton.InferenceServerException) as caught:
            client.infer("echo", [RAW])
        assert caught.value.status() == "StatusCode.UNAVAILABLE"
        assert proxy.eventually(lambda: (proxy.proxy.counts.upstream_failures or 0) > 0)
        upstream.start()
        stub = client._client_stub
        answer = stub.ModelInfer(
            service_pb2.ModelInferRequest(model_name="echo"), wait_for_ready=True, timeout=WAIT_S
        )
        assert answer.model_version == "7"


def test_what_is_not_http2_passes_unread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shout_back, args=(listener,))
        thread.start()
        with RunningProxy(f"127.0.0.1:{listener.getsockname()[1]}", MODELS) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S) as client:
                client.sendall(b"GET /v2/health/live HTTP/1.1\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
                # The answer comes after the half-close, so that must have passed too.
                assert client.makefile("rb").read() == b"GET /V2/HEALTH/LIVE HTTP/1.1\r\n\r\n"
            assert proxy.eventually(lambda: proxy.proxy.counts.connections == 0)
            assert proxy.proxy.counts.unreadable_connections == 1
        thread.join()


def _shout_back(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        connection.sendall(stream.read().upper())


def test_a_slow_reader_holds_the_sender_back() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        RunningProxy(f"127.0.0.1:{listener.getsockname()[1]}", MODELS) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3) as client,
    ):
        server, _ = listener.accept()
        sent = _send_until_held_back(client)
        assert 0 < sent < 64 << 20
        client.shutdown(socket.SHUT_WR)
        server.settimeout(WAIT_S)
        with server, server.makefile("rb") as stream:
            assert sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 20), b"")) == sent


def _send_until_held_back(client: socket.socket) -> int:
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 1 << 30:
            sent += client.send(b"x" * 65536)
    return sent


def test_malformed_http2_passes_unread(upstream: Upstream, proxy: RunningProxy) -> None:
    settings, headers = bytes.fromhex("000000040000000000"), bytes.fromhex("000004010400000001")
    sent = PREFACE + settings + headers + b"\xff" * 4
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S) as client:
        client.sendall(sent)
        through_proxy = client.makefile("rb").read()
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=WAIT_S) as client:
        client.sendall(sent)
        assert client.makefile("rb").read() == through_proxy
    assert proxy.eventually(lambda: proxy.proxy.counts.unreadable_connections == 1)


def test_close_lets_open_calls_end_and_turns_new_ones_away(upstream: Upstream, proxy: RunningProxy) -> None:
    with grpc.insecure_channel(proxy.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        call = stub.ModelInfer.future(service_pb2.ModelInferRequest(model_name="sleep"))
        assert upstream.service.began.wait(WAIT_S)
        closing = threading.Thread(target=lambda: proxy.on_loop(proxy.proxy.close(10 * WAIT_S)))
        closing.start()
        assert proxy.eventually(lambda: proxy.proxy.address == "127.0.0.1:0")
        upstream.service.cancelled.set()
        assert call.result(timeout=WAIT_S).model_version == "7"
        closing.join(WAIT_S)
        assert not closing.is_alive()
    with grpc.insecure_channel(proxy.address) as channel, pytest.raises(grpc.RpcError) as caught:
        service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert proxy.proxy.counts.connections == 0


def test_a_sink_that_breaks_is_not_felt(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> bool:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(proxy.collector, "offer", broken)
    with triton.InferenceServerClient(proxy.address) as client:
        for _ in range(3):
            assert client.infer("echo", [RAW]).as_numpy("INPUT0").tolist() == [[0, 1, 2, 3, 4, 5]]
    assert proxy.eventually(lambda: proxy.proxy.counts.connections == 0)
    assert proxy.proxy.counts.unreadable_connections == 1


def test_what_is_watched_may_change(proxy: RunningProxy) -> None:
    with triton.InferenceServerClient(proxy.address) as client:
        client.infer("echo", [RAW])
        proxy.on_loop(_watch(proxy, {}))
        client.infer("echo", [RAW])
        proxy.on_loop(_watch(proxy, {"echo": proxy.intakes["fail"]}))
        client.infer("echo", [RAW])
    assert (proxy.counts("echo").seen, proxy.counts("fail").sampled) == (1, 1)


async def _watch(proxy: RunningProxy, intakes: dict[str, Intake]) -> None:
    proxy.proxy.watch(intakes)


def test_listening_and_closing() -> None:
    async def live() -> None:
        first = RelayServer("127.0.0.1:0", "127.0.0.1:1", {}, key="proxy.listen", observe=ConnectionObserver)
        await first.close(0.0)
        await first.start()
        second = RelayServer(first.address, "127.0.0.1:1", {}, key="proxy.listen", observe=ConnectionObserver)
        with pytest.raises(UnavailableError, match=r"change `proxy\.listen`"):
            await second.start()
        await second.close(0.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(first.address.rpartition(":")[2]))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert first.counts.upstream_failures == 1
        await asyncio.gather(first.close(WAIT_S), first.close(WAIT_S))
        await first.close(0.0)
        await first.start()
        await first.close(0.0)

    asyncio.run(live())
