"""What Envoy's filter tells of a call, in order and out of it, whole and in pieces."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilotfish.internal.v1.ext_proc_pb2 import HttpBody, HttpTrailers, ProcessingRequest

from sidecar.serving.capture.core.http2_server import ENOUGH, Reply
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import PATH, Watchlist
from sidecar.serving.capture.ext_proc import ext_proc
from sidecar.wire.reasons import DropReason
from tests.support.capture_ways import Call, framed, headers, observed, told_by_envoy
from tests.support.running_proxy import Collector
from tests.support.v2_upstream import echo

CALL = Call({"x": np.arange(40, dtype=np.float32).reshape(2, 20)})
INFER = {":path": "/inference.GRPCInferenceService/ModelInfer"}
BEGUN = ProcessingRequest(request_headers=headers(INFER))
ASKED = ProcessingRequest(
    request_body=HttpBody(body=framed(CALL.request.SerializeToString(), gzipped=False), end_of_stream=True)
)
ANSWERING = ProcessingRequest(response_headers=headers({":status": "200"}))
ANSWERED = ProcessingRequest(
    response_body=HttpBody(body=framed(echo(CALL.request).SerializeToString(), gzipped=False))
)
DONE = ProcessingRequest(response_trailers=HttpTrailers(trailers=headers({"grpc-status": "0"}).headers))


class Observed:
    """One stream, and what became of it."""

    def __init__(self, *, fraction: float = 1.0, memory_bytes: int = 1 << 20) -> None:
        self.collector = Collector()
        self.intake = Intake(
            "echo",
            fraction=fraction,
            max_per_second=1e9,
            max_item_bytes=1 << 16,
            sink=self.collector,
            uniform=lambda: 0.5,
            clock=lambda: 0.0,
        )
        self.watchlist = Watchlist({"echo": self.intake})
        self.memory = Memory(memory_bytes)
        self._stream = ext_proc.begin({PATH: ext_proc.PROCESS}, self.watchlist, self.memory)

    def hear(self, told: Iterable[ProcessingRequest], *, cut: int = 1 << 20) -> Reply | None:
        return self.hear_bytes(b"".join(framed(one, gzipped=False) for one in observed(told)), cut=cut)

    def hear_bytes(self, stream: bytes, *, cut: int = 1 << 20) -> Reply | None:
        for at in range(0, len(stream), cut):
            reply = self._stream.hear(memoryview(stream)[at : at + cut])
            if reply is not None:
                return reply
        return None

    def end(self) -> None:
        assert self._stream.end() == ENOUGH

    def drop(self) -> None:
        self._stream.drop(DropReason.CANCELLED)

    @property
    def dropped(self) -> dict[str, int]:
        assert self.intake.undecided == 0
        assert self.memory.held_bytes == 0
        return dict(self.intake.counts.dropped)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7, 100, 1000])
def test_request_and_answer_are_joined_however_the_stream_is_cut(cut: int) -> None:
    stream = Observed()
    assert stream.hear(told_by_envoy(CALL, piece_bytes=cut), cut=cut) == ENOUGH
    observation = stream.collector.observations[0]
    assert observation.v2_request == CALL.request.SerializeToString()
    assert observation.v2_response == echo(CALL.request).SerializeToString()
    assert stream.dropped == {}


@given(end=st.integers(0, 1 << 20))
def test_a_stream_that_ends_anywhere_is_accounted_for(end: int) -> None:
    whole = b"".join(framed(one, gzipped=False) for one in observed(told_by_envoy(CALL, piece_bytes=60)))
    stream = Observed()
    if stream.hear_bytes(whole[: end % len(whole)]) is None:
        stream.drop()
    assert stream.intake.counts.sampled == 0
    assert sum(stream.dropped.values()) + stream.watchlist.unreadable_calls == 1


def test_a_call_that_is_not_wanted_ends_its_stream_with_the_request() -> None:
    stream = Observed(fraction=0.0)
    assert stream.hear([BEGUN]) is None
    assert stream.hear([ASKED]) == ENOUGH
    assert stream.intake.counts.skipped == 1
    assert stream.dropped == {}


def test_other_calls_end_their_stream_at_once() -> None:
    stream = Observed()
    other = headers({":path": "/inference.GRPCInferenceService/ServerLive"})
    assert stream.hear([ProcessingRequest(request_headers=other)]) == ENOUGH
    assert (stream.intake.counts.seen, stream.watchlist.unreadable_calls) == (0, 0)


def test_a_filter_that_would_wait_is_let_go() -> None:
    stream = Observed()
    waiting = ProcessingRequest(request_headers=headers(INFER))
    assert stream.hear_bytes(framed(waiting.SerializeToString(), gzipped=False)) == ENOUGH
    assert stream.watchlist.waiting_calls == 1


def failed(status: str) -> ProcessingRequest:
    return ProcessingRequest(response_headers=headers({"grpc-status": status}, end_of_stream=True))


def answering(body: bytes, *, ended: bool = False) -> ProcessingRequest:
    return ProcessingRequest(response_body=HttpBody(body=body, end_of_stream=ended))


SNAPPY = ProcessingRequest(response_headers=headers({"grpc-encoding": "snappy"}))


@pytest.mark.parametrize(
    ("told", "dropped"),
    [
        ([failed("14")], "failed_call"),
        ([failed("1")], "cancelled"),
        ([ANSWERING, answering(b"", ended=True)], "failed_call"),
        ([ANSWERING, DONE], "undecodable"),
        ([ANSWERING, ANSWERED, ANSWERED, DONE], "undecodable"),
        ([ASKED, ANSWERING, ANSWERED, DONE], "undecodable"),
        ([answering(b"\0\0\1\0\1")], "oversize"),
        ([SNAPPY, answering(b"\1\0\0\0\1x"), DONE], "unknown_coding"),
    ],
)
def test_what_gives_no_sample_is_counted_by_reason(told: list[ProcessingRequest], dropped: str) -> None:
    stream = Observed()
    assert stream.hear([BEGUN, ASKED, *told]) == ENOUGH
    assert stream.dropped == {dropped: 1}


@pytest.mark.parametrize("told", [[ASKED], [DONE], [ANSWERING, DONE], [BEGUN, DONE], []])
def test_a_stream_that_does_not_tell_the_model_is_counted(told: list[ProcessingRequest]) -> None:
    stream = Observed()
    if stream.hear(told) is None:
        stream.end()
    assert stream.dropped == {}
    assert stream.watchlist.unreadable_calls == 1


def test_headers_that_come_twice_change_nothing() -> None:
    stream = Observed()
    assert stream.hear([BEGUN, BEGUN, ASKED, BEGUN, ANSWERING, ANSWERED, DONE]) == ENOUGH
    assert stream.intake.counts.sampled == 1


@pytest.mark.parametrize("broken", [b"\0\0\0\0\1\xff", b"\1\0\0\0\1x"])
def test_messages_that_are_none_drop_the_call(broken: bytes) -> None:
    stream = Observed()
    assert stream.hear([BEGUN, ASKED]) is None
    assert stream.hear_bytes(broken) == ENOUGH
    assert list(stream.dropped) in (["undecodable"], ["unknown_coding"])


def test_memory_that_is_full_drops_the_call() -> None:
    stream = Observed(memory_bytes=1000)
    assert stream.hear([BEGUN, ASKED]) is None
    assert stream.hear_bytes(b"\0\0\1\0\0" + b"x" * 1000) == ENOUGH
    assert stream.dropped == {"memory_full": 1}


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_garbage_is_accounted_for(pieces: list[bytes]) -> None:
    stream = Observed(memory_bytes=2000)
    assert stream.hear([BEGUN, ASKED]) is None
    if stream.hear_bytes(b"".join(pieces), cut=50) is None:
        stream.drop()
    assert sum(stream.dropped.values()) == 1
