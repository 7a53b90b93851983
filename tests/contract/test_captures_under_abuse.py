"""Whatever is done to a capture: memory within its bound, every call accounted for, the next one sampled."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest

from sidecar.serving.capture.core.intake import Sampling
from sidecar.serving.capture.core.messages import Memory
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.codec import decode_observation
from sidecar.wire.v2.elements import UnreadableError
from tests.support.capture_ways import (
    WAYS,
    Call,
    Way,
    by_events_binary,
    by_mirror,
    by_observer,
    by_proxy,
    by_rest_binary,
)
from tests.support.running_proxy import WAIT_S

CALL = Call({"x": np.arange(6, dtype=np.float32).reshape(1, 6)})
CONNECTIONS = 1000
HTTP2_BEGINS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
# Connections that have begun a call, and are in no hurry.
HALF_A_CALL = b"POST /v2/models/echo/infer HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{"
HALF_AN_EVENT = b"POST /events HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{"


@pytest.fixture
def most_held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The most that any capture held at once, in bytes."""
    most, take = [0], Memory.take

    def watched(memory: Memory, size: int) -> bool:
        taken = take(memory, size)
        most[0] = max(most[0], memory.held_bytes)
        return taken

    monkeypatch.setattr(Memory, "take", watched)
    return most


# Binary bodies: in JSON the same bytes would take the client seconds to write.
@pytest.fixture(params=[by_proxy, by_rest_binary, by_mirror, by_observer, by_events_binary])
def lean_way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with request.param() as way:
        yield way


@pytest.fixture(params=WAYS, ids=lambda way: str(way.__name__))
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    make: Callable[[], AbstractContextManager[Way]] = request.param
    with make() as running:
        yield running


def test_fifty_megabytes_are_counted_and_not_held(lean_way: Way, most_held: list[int]) -> None:
    lean_way.send(Call({"x": np.zeros((1, 12_500_000), dtype=np.float32)}))
    lean_way.send(CALL)
    counts = lean_way.running.counts("echo")
    assert (counts.sampled, dict(counts.dropped)) == (1, {"oversize": 1})
    assert most_held[0] < 2 << 20


def test_fifty_megabytes_that_may_be_large_are_kept(lean_way: Way, most_held: list[int]) -> None:
    array = np.zeros((1, 12_500_000), dtype=np.float32)
    lean_way.running.intakes["echo"].sampling = Sampling(1.0, 1e9, 60 << 20)
    lean_way.send(Call({"x": array}))
    lean_way.send(CALL)
    counts = lean_way.running.counts("echo")
    # With its answer it is more than all calls may hold together: known, counted, and over.
    wanted = (1, {"memory_full": 1}) if lean_way.sees_answers else (2, {})
    assert (counts.sampled, dict(counts.dropped)) == wanted
    assert most_held[0] <= 64 << 20


def test_a_sink_that_takes_nothing_costs_samples_and_nothing_else(
    way: Way, most_held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hanging:
        hanging.setattr(way.running.collector, "offer", lambda _: False)
        for _ in range(20):
            way.send(CALL)
        counts = way.running.counts("echo")
        assert (counts.seen, counts.sampled, dict(counts.dropped)) == (20, 0, {"queue_full": 20})
    way.send(CALL)
    assert way.running.counts("echo").sampled == 1
    assert most_held[0] < 1 << 20


def test_a_body_that_lies_about_its_shape_is_told_when_it_is_read(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lie in ((1 << 24, 6), (1, 7), (-1, 6), (0, 6)):
        monkeypatch.setattr("tests.support.capture_ways.claimed_shape", lambda _, lie=lie: lie)
        way.send(CALL)
        assert way.running.counts("echo").sampled == len(way.running.collector.observations) == 1
        with pytest.raises(UnreadableError) as caught:
            decode_observation(way.running.collector.observations.pop())
        assert caught.value.reason in {RejectReason.UNDECODABLE, RejectReason.NO_ITEMS}
        way.running.intakes["echo"]._sampled = 0


@pytest.mark.parametrize(
    ("make", "begins"),
    [
        (by_proxy, HTTP2_BEGINS),
        (by_rest_binary, HALF_A_CALL),
        (by_mirror, HTTP2_BEGINS),
        (by_observer, HTTP2_BEGINS),
        (by_events_binary, HALF_AN_EVENT),
    ],
)
def test_a_thousand_connections(
    make: Callable[[], AbstractContextManager[Way]], begins: bytes, most_held: list[int]
) -> None:
    with make() as way, contextlib.ExitStack() as stack:
        host, _, port = way.running.address.rpartition(":")
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection((host, int(port)), timeout=WAIT_S))
            client.sendall(begins)
        if way.running.capture.counts.connections is not None:
            assert way.running.eventually(
                lambda: (way.running.capture.counts.connections or 0) >= CONNECTIONS
            )
        way.send(CALL)
        stack.close()
        intake = way.running.intakes["echo"]
        assert way.running.eventually(lambda: intake.undecided == 0)
        half = CONNECTIONS if begins is HALF_A_CALL else 0
        assert way.running.eventually(lambda: intake.counts.seen == 1 + half)
        assert intake.counts.sampled == 1
        # Who of client and model server gives such a call up first is theirs.
        assert intake.counts.dropped.keys() <= {"cancelled", "failed_call"}
        assert most_held[0] < 8 << 20
