"""Every capture with a sender as it has in production: the same calls, by each way in."""

from __future__ import annotations

import gzip
import http.client
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
from pilotfish.internal.v1.ext_proc_pb2 import (
    HeaderMap,
    HeaderValue,
    HttpBody,
    HttpHeaders,
    HttpTrailers,
    ProcessingRequest,
)
from prometheus_client import CollectorRegistry
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.tensors import Array
from sidecar.serving.api.http import HttpServer, application
from sidecar.serving.capture.cloudevents.cloud_events import REQUEST, RESPONSE, EventSink
from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.listener import Listener
from sidecar.serving.capture.ext_proc.ext_proc import PROCESS
from sidecar.serving.capture.rest.rest import RestObserver
from sidecar.wire.v2.elements import datatype_of, to_raw
from tests.support.rest_upstream import running_rest_upstream
from tests.support.running_proxy import WAIT_S, RunningCapture, RunningProxy, running_mirror, running_observer
from tests.support.v2_upstream import Upstream, V2Message, echo

MODELS: Final = ("echo", "fail")
SEGMENT_KEY: Final = "x-region"
UNLIMITED: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


def claimed_shape(array: Array) -> tuple[int, ...]:
    """What a sender says; a test may make it lie."""
    return array.shape


@dataclass(frozen=True)
class Call:
    """What a client asks; the model `echo` answers with the inputs, `fail` with an error."""

    inputs: Mapping[str, Array]
    model: str = "echo"
    segment: str | None = None
    gzipped: bool = False
    shared_memory: bool = False

    @property
    def request(self) -> V2Message:
        request = service_pb2.ModelInferRequest(model_name=self.model)
        for name, array in self.inputs.items():
            tensor = request.inputs.add(name=name, datatype=datatype_of(array), shape=claimed_shape(array))
            if self.shared_memory:
                tensor.parameters["shared_memory_region"].string_param = "region"
            else:
                request.raw_input_contents.append(to_raw(array))
        return request


@dataclass(frozen=True)
class Way:
    """One capture that runs, and how a call comes to it.

    Attributes:
        running: the capture.
        send: makes a call and returns when its sender is done.
        sees_answers: whether the incumbent's answers come with the requests.
        failed: what a call that the model server refused is counted as; None: it is a sample.
    """

    running: RunningCapture[Listener]
    send: Callable[[Call], None]
    sees_answers: bool
    failed: str | None


@contextmanager
def by_proxy() -> Iterator[Way]:
    upstream = Upstream()
    upstream.start()
    with RunningProxy(upstream.address, MODELS) as running, _v2_sender(running.address) as send:
        yield Way(running, send, sees_answers=True, failed="failed_call")
    upstream.stop()


@contextmanager
def by_rest_json() -> Iterator[Way]:
    with _rest(_json_body) as way:
        yield way


@contextmanager
def by_rest_binary() -> Iterator[Way]:
    with _rest(_binary_body) as way:
        yield way


@contextmanager
def _rest(body: Callable[[str, Mapping[str, Array]], bytes]) -> Iterator[Way]:
    with (
        running_rest_upstream() as upstream,
        RunningProxy(upstream.address, MODELS, observe=RestObserver) as running,
    ):

        def send(call: Call) -> None:
            sent = _shared_body(call.inputs) if call.shared_memory else body("inputs", call.inputs)
            segment = {SEGMENT_KEY.title(): call.segment} if call.segment else {}
            coding = {"content-encoding": "gzip"} if call.gzipped else {}
            post(running.address, segment | coding, sent, f"/v2/models/{call.model}/infer")

        yield Way(running, send, sees_answers=True, failed="failed_call")


@contextmanager
def by_mirror() -> Iterator[Way]:
    with running_mirror(MODELS) as running, _v2_sender(running.address) as send:
        yield Way(running, send, sees_answers=False, failed=None)


@contextmanager
def by_observer() -> Iterator[Way]:
    with running_observer(MODELS) as running, grpc.insecure_channel(running.address, UNLIMITED) as channel:
        process: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(PROCESS.decode())

        def send(call: Call) -> None:
            assert list(process(observed(told_by_envoy(call)), timeout=WAIT_S)) == []

        yield Way(running, send, sees_answers=True, failed="failed_call")


class EventsOverHttp:
    """A sink of events with an HTTP port of its own."""

    def __init__(self, intakes: Mapping[str, Intake]) -> None:
        self.sink = EventSink("/events", intakes)
        paths = {"/events": self.sink}
        self._http = HttpServer(application(CollectorRegistry(), str, paths.get), "127.0.0.1", 0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._http.port}"

    @property
    def counts(self) -> CaptureCounts:
        return self.sink.counts

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        self.sink.watch(intakes)

    async def start(self) -> None:
        await self._http.start()

    async def close(self, grace_s: float) -> None:
        await self.sink.close(grace_s)
        await self._http.close()


@contextmanager
def by_events_json() -> Iterator[Way]:
    with _events(_json_body) as way:
        yield way


@contextmanager
def by_events_binary() -> Iterator[Way]:
    with _events(_binary_body) as way:
        yield way


@contextmanager
def _events(body: Callable[[str, Mapping[str, Array]], bytes]) -> Iterator[Way]:
    running = RunningCapture(EventsOverHttp, MODELS)
    with running:

        def send(call: Call) -> None:
            identity = str(uuid.uuid4())
            sent = _shared_body(call.inputs) if call.shared_memory else body("inputs", call.inputs)
            post(running.address, event(REQUEST, identity, call), sent)
            if call.model == "echo":
                post(running.address, event(RESPONSE, identity, call), body("outputs", call.inputs))

        yield Way(running, send, sees_answers=True, failed="unpaired")


WAYS: Final = (
    by_proxy,
    by_rest_json,
    by_rest_binary,
    by_mirror,
    by_observer,
    by_events_json,
    by_events_binary,
)


def told_by_envoy(call: Call, piece_bytes: int = 10_000) -> Iterator[ProcessingRequest]:
    """What the filter tells of a call, in pieces as it gets them."""
    request = framed(call.request.SerializeToString(), gzipped=call.gzipped)
    fields = {":method": "POST", ":path": "/inference.GRPCInferenceService/ModelInfer"}
    coding = {"grpc-encoding": "gzip"} if call.gzipped else {}
    segment = {SEGMENT_KEY: call.segment} if call.segment else {}
    yield ProcessingRequest(request_headers=headers(fields | coding | segment))
    for at in range(0, len(request), piece_bytes):
        ended = at + piece_bytes >= len(request)
        yield ProcessingRequest(
            request_body=HttpBody(body=request[at : at + piece_bytes], end_of_stream=ended)
        )
    if call.model != "echo":
        yield ProcessingRequest(response_headers=headers({"grpc-status": "8"}, end_of_stream=True))
        return
    yield ProcessingRequest(response_headers=headers({":status": "200"}))
    answer = framed(echo(call.request).SerializeToString(), gzipped=False)
    for at in range(0, len(answer), piece_bytes):
        yield ProcessingRequest(response_body=HttpBody(body=answer[at : at + piece_bytes]))
    trailers = HttpTrailers(trailers=headers({"grpc-status": "0"}).headers)
    yield ProcessingRequest(response_trailers=trailers)


def observed(told: Iterable[ProcessingRequest]) -> Iterator[bytes]:
    """The messages as a filter in observability mode sends them."""
    for one in told:
        one.observability_mode = True
        yield one.SerializeToString()


def headers(fields: Mapping[str, str], *, end_of_stream: bool = False) -> HttpHeaders:
    values = [HeaderValue(key=name.encode(), raw_value=value.encode()) for name, value in fields.items()]
    return HttpHeaders(headers=HeaderMap(headers=values), end_of_stream=end_of_stream)


def framed(content: bytes, *, gzipped: bool) -> bytes:
    body = gzip.compress(content) if gzipped else content
    return bytes([gzipped]) + len(body).to_bytes(4, "big") + body


def event(kind: str, identity: str, call: Call) -> dict[str, str]:
    metadata = {"X-Region": [call.segment]} if call.segment else {}
    return {
        "ce-specversion": "1.0",
        "ce-id": identity,
        "ce-type": kind,
        "ce-time": datetime.now(UTC).isoformat(),
        "ce-source": "http://localhost:9081/",
        "ce-inferenceservicename": call.model,
        "ce-metadata": json.dumps(metadata),
        "content-type": "application/json",
        **({"content-encoding": "gzip"} if call.gzipped else {}),
    }


def post(address: str, fields: Mapping[str, str], body: bytes, path: str = "/events") -> int:
    connection = http.client.HTTPConnection(address, timeout=WAIT_S)
    try:
        sent = gzip.compress(body) if fields.get("content-encoding") == "gzip" else body
        connection.request("POST", path, sent, dict(fields))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@contextmanager
def _v2_sender(address: str) -> Iterator[Callable[[Call], None]]:
    with grpc.insecure_channel(address, UNLIMITED) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        def send(call: Call) -> None:
            made = stub.ModelInfer.future(
                call.request,
                metadata=[(SEGMENT_KEY, call.segment)] if call.segment else [],
                compression=grpc.Compression.Gzip if call.gzipped else None,
                timeout=WAIT_S,
            )
            made.exception()

        yield send


def _json_body(key: str, arrays: Mapping[str, Array]) -> bytes:
    return _v2_body(key, arrays, lambda array: {"data": _listed(array)})


def _binary_body(key: str, arrays: Mapping[str, Array]) -> bytes:
    head = _v2_body(key, arrays, lambda array: {"parameters": {"binary_data_size": len(to_raw(array))}})
    return head + b"".join(map(to_raw, arrays.values()))


def _shared_body(arrays: Mapping[str, Array]) -> bytes:
    return _v2_body("inputs", arrays, lambda _: {"parameters": {"shared_memory_region": "region"}})


def _v2_body(key: str, arrays: Mapping[str, Array], contents: Callable[[Array], dict[str, object]]) -> bytes:
    tensors = [
        {"name": name, "datatype": datatype_of(array), "shape": claimed_shape(array), **contents(array)}
        for name, array in arrays.items()
    ]
    return json.dumps({"id": "1", key: tensors}).encode()


def _listed(array: Array) -> list[object]:
    return [text.decode() for text in array] if array.dtype == object else array.tolist()
