"""Whatever capture a call comes by: the same items, the same accounting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import numpy as np
import pytest

from sidecar.serving.capture.core.intake import Sampling
from sidecar.wire.reasons import RejectReason
from sidecar.wire.v2.codec import decode_observation
from sidecar.wire.v2.elements import UnreadableError
from tests.support.capture_ways import SEGMENT_KEY, WAYS, Call, Way

INPUTS = {
    "image": np.arange(24, dtype=np.float32).reshape(3, 2, 4),
    "exact": np.array([0.1, 0.2, 0.3]),
    "wide": np.array([2**40, -(2**40), 0], dtype=np.int64),
    "flags": np.array([[True, False], [False, True], [True, True]]),
    "text": np.array(["eins", "", "zwölf"], dtype=np.object_),
}
SENT = {**INPUTS, "text": np.array([text.encode() for text in INPUTS["text"]], dtype=np.object_)}
LARGE = {"image": np.zeros((1, 50_000), dtype=np.float32)}


@pytest.fixture(params=WAYS, ids=lambda way: str(way.__name__))
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    make: Callable[[], AbstractContextManager[Way]] = request.param
    with make() as running:
        yield running


def test_the_items_are_what_was_sent_and_answered(way: Way) -> None:
    for gzipped in (False, True):
        way.send(Call(SENT, gzipped=gzipped))
    assert way.running.counts("echo").sampled == 2
    for observation in way.running.collector.observations:
        assert observation.endpoint == "echo-endpoint"
        batch = decode_observation(observation)
        for arrays in (batch.inputs, batch.outputs) if way.sees_answers else (batch.inputs,):
            assert list(arrays) == list(SENT)
            for name, array in SENT.items():
                assert arrays[name].dtype == array.dtype
                assert arrays[name].tolist() == array.tolist()
        assert bool(batch.outputs) == way.sees_answers


def test_how_long_the_model_server_took_is_told_where_answers_are_seen(way: Way) -> None:
    begins = time.monotonic()
    way.send(Call(SENT))
    assert way.running.counts("echo").sampled == 1
    ends = time.monotonic()
    [observation] = way.running.collector.observations
    assert observation.HasField("latency_s") == observation.HasField("asked_s") == way.sees_answers
    if way.sees_answers:
        assert begins < observation.asked_s < ends
        assert 0 < observation.latency_s < ends - begins


def test_every_call_is_accounted_for_by_its_fate(way: Way) -> None:
    for intake in way.running.intakes.values():
        intake.sampling = Sampling(1.0, 1e9, 100_000)
    way.send(Call(SENT))
    way.send(Call(LARGE))
    way.send(Call(LARGE))
    way.send(Call(SENT, model="fail"))
    way.send(Call(SENT, model="nobody"))
    echo = way.running.counts("echo")
    assert (echo.seen, echo.sampled, dict(echo.dropped)) == (3, 1, {"oversize": 2})
    way.running.on_loop(way.running.capture.close(0.0))
    fail = way.running.counts("fail")
    wanted = (1, 0, {way.failed: 1}) if way.failed else (1, 1, {})
    assert (fail.seen, fail.sampled, dict(fail.dropped)) == wanted
    assert way.running.capture.counts.unwatched_calls == 1
    assert way.running.capture.counts.unreadable_calls == 0


def test_calls_at_once_are_sampled_or_skipped_and_none_is_lost(way: Way) -> None:
    turns = iter(range(1000))
    intake = way.running.intakes["echo"]
    intake.sampling = Sampling(0.5, 1e9, 1 << 20)
    intake._uniform = lambda: (next(turns) % 10) / 10
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(way.send, [Call(SENT)] * 60))
    assert way.running.eventually(lambda: intake.counts.seen == 60)
    counts = way.running.counts("echo")
    assert (counts.seen, counts.sampled, counts.skipped) == (60, 30, 30)
    assert len(way.running.collector.observations) == 30


def test_a_request_names_its_segment(way: Way) -> None:
    way.running.intakes["echo"].segment_key = SEGMENT_KEY
    way.running.on_loop(_watch(way))
    way.send(Call(SENT, segment="eu"))
    way.send(Call(SENT))
    assert way.running.counts("echo").sampled == 2
    assert [one.segment for one in way.running.collector.observations] == [b"eu", b""]


def test_what_lies_in_shared_memory_is_told_so(way: Way) -> None:
    way.send(Call(SENT, shared_memory=True))
    assert way.running.counts("echo").sampled == 1
    with pytest.raises(UnreadableError) as caught:
        decode_observation(way.running.collector.observations[0])
    assert caught.value.reason is RejectReason.SHARED_MEMORY


def test_memory_that_is_full_drops_and_says_so(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.serving.capture.core.messages.Memory.take", lambda *_: False)
    way.send(Call(SENT))
    counts, captured = way.running.counts("echo"), way.running.capture.counts
    assert counts.sampled == 0
    assert counts.dropped.get("memory_full", 0) + captured.unreadable_calls == 1


async def _watch(way: Way) -> None:
    way.running.capture.watch(way.running.intakes)
