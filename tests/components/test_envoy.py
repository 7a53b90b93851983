"""Mirror and observer behind a real Envoy, configured by what `pilotfish envoy` prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml
from structlog.testing import capture_logs
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Sampling
from sidecar.serving.telemetry.capture_notices import CaptureNotices
from sidecar.tools.cli.envoy import mesh
from sidecar.wire.v2.codec import decode_observation
from tests.components.running_envoy import RunningEnvoy, free_port, printed
from tests.support.capture_ways import UNLIMITED, Call
from tests.support.running_proxy import WAIT_S, RunningCapture, running_mirror, running_observer
from tests.support.v2_upstream import Upstream, V2Message

MODELS = ("echo", "fail", "sleep")
CALL = Call({"x": np.arange(12, dtype=np.float32).reshape(2, 6)})
CALLS = 400
MANY = 2000
FRACTION = 0.25
BOTH = pytest.mark.parametrize("kind", ["mirror", "observer"])

Starter = Callable[..., Any]


class Place:
    """A client's view: a model server behind Envoy, with a capture at its side."""

    def __init__(self, upstream: Upstream, capture: RunningCapture[CopyServer], envoy: RunningEnvoy) -> None:
        self.upstream = upstream
        self.capture = capture
        self.envoy = envoy

    @contextmanager
    def client(self) -> Iterator[Any]:
        with grpc.insecure_channel(self.envoy.address, UNLIMITED) as channel:
            yield service_pb2_grpc.GRPCInferenceServiceStub(channel)

    def send(self, request: V2Message, times: int, **options: Any) -> None:  # noqa: ANN401 - gRPC's
        """Every call must be answered as if nobody looked on."""
        with self.client() as stub, ThreadPoolExecutor(8) as threads:
            made = [
                threads.submit(stub.ModelInfer, request, timeout=WAIT_S, wait_for_ready=True, **options)
                for _ in range(times)
            ]
            for one in made:
                assert one.result().raw_output_contents == request.raw_input_contents

    def seen(self, model: str, calls: int) -> Any:  # noqa: ANN401 - the accounting
        intake = self.capture.intakes[model]
        assert self.capture.eventually(lambda: intake.counts.seen >= calls)
        return self.capture.counts(model)


@pytest.fixture
def place(envoy_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Starter:
    @contextmanager
    def start(
        kind: str, change: Callable[[dict[str, Any]], None] = lambda _: None, fraction: float = 1.0
    ) -> Iterator[Place]:
        upstream = Upstream()
        upstream.start()
        make = running_mirror if kind == "mirror" else running_observer
        with make(MODELS) as capture:
            path = configured(tmp_path, kind, capture.address)
            config = printed(path, kind, upstream.address, capsys, fraction)
            change(config)
            with RunningEnvoy(envoy_program, config, tmp_path) as envoy:
                yield Place(upstream, capture, envoy)
        upstream.stop()

    return start


def configured(folder: Path, kind: str, listen: str) -> Path:
    path = folder / "pilotfish.yaml"
    admin = f"127.0.0.1:{free_port()}"
    candidate = {"name": "a", "profile": "a.safetensors", "onnx": {"path": "a.onnx"}}
    endpoint = {"name": "echo", "incumbent": "a", "candidates": [candidate]}
    capture = [{kind: {"listen": listen, "envoy": admin}}]
    path.write_text(yaml.safe_dump({"endpoints": [{**endpoint, "capture": capture}]}))
    return path


def manager_of(config: dict[str, Any]) -> Any:  # noqa: ANN401 - what was YAML
    chain = config["static_resources"]["listeners"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]


@BOTH
def test_every_call_is_seen_once_and_as_it_was_sent(place: Starter, kind: str) -> None:
    with place(kind) as running:
        running.send(CALL.request, CALLS)
        running.send(CALL.request, 20, compression=grpc.Compression.Gzip)
        counts = running.seen("echo", CALLS + 20)
        assert (counts.seen, counts.sampled) == (CALLS + 20, CALLS + 20)
        assert running.envoy.counters("cluster.pilotfish.")["upstream_rq_total"] == CALLS + 20
        for observation in running.capture.collector.observations:
            batch = decode_observation(observation)
            assert batch.inputs["x"].tolist() == CALL.inputs["x"].tolist()
            if kind == "observer":
                assert batch.outputs["x"].tolist() == CALL.inputs["x"].tolist()
            else:
                assert batch.outputs == {}
        assert running.capture.capture.memory.held_bytes == 0


@BOTH
def test_calls_that_fail_are_cancelled_or_belong_to_nobody(place: Starter, kind: str) -> None:
    with place(kind) as running, running.client() as stub:
        for model in ("fail", "nobody"):
            with pytest.raises(grpc.RpcError):
                stub.ModelInfer(
                    service_pb2.ModelInferRequest(model_name=model), wait_for_ready=True, timeout=WAIT_S
                )
        call = stub.ModelInfer.future(service_pb2.ModelInferRequest(model_name="sleep"))
        assert running.upstream.service.began.wait(WAIT_S)
        call.cancel()
        assert running.upstream.service.cancelled.wait(WAIT_S)
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live
        failed, cancelled = running.seen("fail", 1), running.seen("sleep", 1)
        assert dict(failed.dropped) == ({"failed_call": 1} if kind == "observer" else {})
        assert dict(cancelled.dropped) == ({"cancelled": 1} if kind == "observer" else {})
        assert running.capture.capture.counts.unwatched_calls == 1


@BOTH
def test_of_every_call_the_sampler_takes_its_share(place: Starter, kind: str) -> None:
    with place(kind) as running:
        intake = running.capture.intakes["echo"]
        intake.sampling = Sampling(0.1, 1e9, 1 << 20)
        intake._uniform = np.random.default_rng(0).random
        running.send(CALL.request, CALLS)
        counts = running.seen("echo", CALLS)
        assert counts.seen == CALLS == counts.sampled + counts.skipped
        assert counts.sampled == len(running.capture.collector.observations)
        assert 0 < counts.sampled < CALLS / 4


@BOTH
def test_large_requests_are_kept_up_to_the_limit_and_counted_beyond(place: Starter, kind: str) -> None:
    array = np.random.default_rng(0).random((1, 1_250_000))
    with place(kind) as running:
        running.capture.intakes["echo"].sampling = Sampling(1.0, 1e9, 16 << 20)
        running.send(Call({"x": array}).request, 3)
        assert running.seen("echo", 3).sampled == 3
        batch = decode_observation(running.capture.collector.observations[0])
        assert batch.inputs["x"].tobytes() == array.tobytes()
        running.capture.intakes["echo"].sampling = Sampling(1.0, 1e9, 1 << 20)
        running.send(Call({"x": array}).request, 3)
        assert dict(running.seen("echo", 6).dropped) == {"oversize": 3}
        assert running.capture.capture.memory.held_bytes == 0


@BOTH
def test_what_envoy_could_not_copy_is_known(place: Starter, kind: str) -> None:
    def limit(config: dict[str, Any]) -> None:
        config["static_resources"]["clusters"][1]["circuit_breakers"]["thresholds"] = [{"max_requests": 1}]

    with place(kind, limit) as running:
        capture = running.capture.capture
        assert capture.counts.lost_calls is None
        running.send(CALL.request, CALLS)
        lost = running.envoy.counters("cluster.pilotfish.")["upstream_rq_5xx"]
        assert running.seen("echo", CALLS - lost).seen == CALLS - lost
        capture.envoy.address = running.envoy.admin
        assert running.capture.eventually(lambda: capture.counts.lost_calls == lost > 0)
        key = CaptureKey(kind, running.capture.address)
        with capture_logs() as told:
            CaptureNotices(time.monotonic).look(key, capture.counts)
        [line] = told
        assert "raise `circuit_breakers` of its cluster `pilotfish`" in line["event"]
        assert (line["log_level"], line["capture"], line["count"]) == ("warning", kind, lost)


@BOTH
def test_envoy_copies_its_fraction_and_the_sampler_takes_its_share_of_that(place: Starter, kind: str) -> None:
    with place(kind, fraction=FRACTION) as running:
        copies_its_fraction(running)


def test_the_filter_for_istio_copies_its_fraction(place: Starter) -> None:
    def as_in_istio(config: dict[str, Any]) -> None:
        filtered = mesh.envoy_filter(("app", "a"), ("127.0.0.1", 1), FRACTION, capture="observer")
        _, inserted = filtered["spec"]["configPatches"]
        manager = manager_of(config)
        manager["http_filters"][0] = inserted["patch"]["value"]
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
            route.pop("typed_per_filter_config", None)

    with place("observer", as_in_istio) as running:
        copies_its_fraction(running)


def copies_its_fraction(running: Place) -> None:
    capture, intake = running.capture.capture, running.capture.intakes["echo"]
    intake.sampling = Sampling(0.5, 1e9, 1 << 20)
    intake._uniform = np.random.default_rng(0).random
    running.send(CALL.request, MANY)
    capture.envoy.address = running.envoy.admin
    copied = running.envoy.counters("cluster.pilotfish.")["upstream_rq_total"]
    assert 0.2 * MANY < copied < 0.3 * MANY
    counts = running.seen("echo", copied)
    assert counts.seen == copied == counts.sampled + counts.skipped
    assert 0 < counts.sampled == len(running.capture.collector.observations) < copied
    assert running.capture.eventually(lambda: capture.counts.lost_calls == 0)


@BOTH
def test_lost_is_only_what_envoy_meant_to_copy(place: Starter, kind: str) -> None:
    def lose_all(config: dict[str, Any]) -> None:
        config["static_resources"]["clusters"][1]["circuit_breakers"]["thresholds"] = [{"max_requests": 0}]

    with place(kind, lose_all, FRACTION) as running:
        running.send(CALL.request, MANY)
        capture = running.capture.capture
        capture.envoy.address = running.envoy.admin
        assert running.capture.eventually(lambda: bool(capture.counts.lost_calls))
        assert 0.2 * MANY < capture.counts.lost_calls < 0.3 * MANY
        assert running.capture.counts("echo").seen == 0


@BOTH
def test_clients_do_not_notice_that_the_capture_ends(place: Starter, kind: str) -> None:
    with place(kind) as running:
        running.send(CALL.request, 20)
        running.capture.on_loop(running.capture.capture.close(0.0))
        running.send(CALL.request, 20)
        assert running.capture.counts("echo").seen == 20


def test_an_envoy_that_would_wait_for_answers_is_let_go(place: Starter) -> None:
    def wait(config: dict[str, Any]) -> None:
        ext_proc = manager_of(config)["http_filters"][0]["typed_config"]
        ext_proc["observability_mode"] = False
        ext_proc["failure_mode_allow"] = False
        del ext_proc["deferred_close_timeout"]

    with place("observer", wait) as running:
        running.send(CALL.request, 20)
        assert running.capture.capture.counts.waiting_calls == 20
        assert running.capture.counts("echo").seen == 0
