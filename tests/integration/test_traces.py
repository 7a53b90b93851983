"""Spans of calls and rounds, as a collector receives them over a socket."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pilotfish.v1 import ranking_pb2, traffic_pb2

from sidecar.config import load_config
from sidecar.core.errors import InvalidError
from sidecar.serving.app import Sidecar
from tests.support.models import DigitsModels
from tests.support.running_sidecar import (
    ENDPOINT,
    WAIT_S,
    RunningSidecar,
    configuration,
    write,
    write_profiles,
)

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"

EXPORTER = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that are sent to it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        self._came = threading.Condition()

    def Export(self, request: Any, context: Any) -> Any:  # noqa: ANN401, ARG002, N802 - the protocol's
        with self._came:
            for group in request.resource_spans:
                self.resource = values(group.resource)
                self.spans += [span for scope in group.scope_spans for span in scope.spans]
            self._came.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        """All spans of a name that came so far; waits for one."""
        with self._came:
            assert self._came.wait_for(lambda: any(one.name == name for one in self.spans), WAIT_S)
            return [one for one in self.spans if one.name == name]


def values(holder: Any) -> dict[str, Any]:  # noqa: ANN401 - a span or a resource
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}


@pytest.fixture(scope="module")
def folder(digits_models: DigitsModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces")
    write_profiles(digits_models, path)
    return path


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    server = grpc.server(ThreadPoolExecutor(2))
    made = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(made, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield made, f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture(scope="module")
def traced(folder: Path, collector: tuple[Collector, str]) -> Collector:
    """The collector after some calls and rounds of a sidecar that has ended."""
    made, address = collector
    path = write(folder, {**configuration(), "traces": {"otlp": address}})
    with RunningSidecar(path) as sidecar:
        tensor = traffic_pb2.Tensor(name="X", datatype="FP32", shape=[1, 64], contents=bytes(256))
        request = traffic_pb2.ObserveRequest(endpoint=ENDPOINT, inputs=[tensor])
        assert sidecar.traffic.Observe(iter([request] * 60)).sampled == 60
        watched = sidecar.rankings.WatchRanking(ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT))
        next(change for change in watched if change.ranking.items == 60)
        watched.cancel()
        asked = ranking_pb2.GetRankingRequest(endpoint=ENDPOINT)
        sidecar.rankings.GetRanking(asked, metadata=(("traceparent", SAMPLED),))
        for _ in range(3):
            sidecar.rankings.GetRanking(asked, metadata=(("traceparent", UNSAMPLED),))
        with pytest.raises(grpc.RpcError):
            sidecar.rankings.GetRanking(ranking_pb2.GetRankingRequest(endpoint="none"))
    return made


def test_a_call_is_a_span_of_its_callers_trace(traced: Collector) -> None:
    ours = [one for one in traced.named("pilotfish.v1.RankingService/GetRanking") if one.parent_span_id]
    # Of those that their callers chose not to trace there is none.
    assert [(one.trace_id.hex(), one.parent_span_id.hex()) for one in ours] == [(TRACE, PARENT)]
    assert ours[0].kind == Span.SPAN_KIND_SERVER
    assert values(ours[0]) == {
        "rpc.system": "grpc",
        "rpc.service": "pilotfish.v1.RankingService",
        "rpc.method": "GetRanking",
        "rpc.grpc.status_code": 0,
    }


def test_what_a_caller_did_wrong_has_its_status_and_is_no_error(traced: Collector) -> None:
    spans = traced.named("pilotfish.v1.RankingService/GetRanking")
    (refused,) = (one for one in spans if values(one)["rpc.grpc.status_code"])
    assert values(refused)["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert refused.status.code == Status.STATUS_CODE_UNSET
    assert not refused.events


def test_streams_have_spans_as_long_as_they_last(traced: Collector) -> None:
    (observed,) = traced.named("pilotfish.v1.TrafficService/Observe")
    assert values(observed)["rpc.grpc.status_code"] == 0
    (watched,) = traced.named("pilotfish.v1.RankingService/WatchRanking")
    assert values(watched)["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]
    assert watched.end_time_unix_nano > watched.start_time_unix_nano


def test_a_round_is_a_span_of_the_time_that_it_took(traced: Collector) -> None:
    rounds = traced.named("ranking round")
    newest = max(rounds, key=lambda one: int(values(one)["pilotfish.round"]))
    told = values(newest)
    assert told["pilotfish.endpoint"] == ENDPOINT
    assert (told["pilotfish.items"], told["pilotfish.candidates"]) == (60, 2)
    assert f"STATE_{told['pilotfish.state']}" in dict(ranking_pb2.State.items())
    assert 0 < newest.end_time_unix_nano - newest.start_time_unix_nano < WAIT_S * 1e9
    assert abs(newest.end_time_unix_nano / 1e9 - time.time()) < 2 * WAIT_S
    assert {values(one)["pilotfish.round"] for one in rounds} == set(range(1, len(rounds) + 1))


def test_spans_say_of_what_they_are_and_hold_no_payload(traced: Collector) -> None:
    assert traced.resource["service.name"] == "pilotfish"
    allowed = {"rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code"} | {
        f"pilotfish.{name}" for name in ("endpoint", "round", "items", "candidates", "state", "recommended")
    }
    assert {key for span in traced.spans for key in values(span)} == allowed


def test_a_collector_that_is_not_there_disturbs_nobody(folder: Path) -> None:
    path = write(folder, {**configuration(), "traces": {"otlp": "127.0.0.1:1"}})
    with RunningSidecar(path) as sidecar:
        watched = sidecar.rankings.WatchRanking(
            ranking_pb2.WatchRankingRequest(endpoint=ENDPOINT), timeout=WAIT_S
        )
        assert next(watched).ranking.endpoint == ENDPOINT
        watched.cancel()
        began = time.monotonic()
    assert time.monotonic() - began < WAIT_S / 2


def test_without_the_extra_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, {**configuration(), "traces": {"otlp": "127.0.0.1:1"}})
    monkeypatch.delitem(sys.modules, "sidecar.telemetry.traces", raising=False)
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    with pytest.raises(InvalidError, match=r"traces.otlp: .* install pilotfish\[otel\]"):
        Sidecar(path, load_config(path))
