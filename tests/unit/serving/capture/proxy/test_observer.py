"""The observer on bytes that a real client and a real server exchanged."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import tritonclient.grpc as triton
from hpack import HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2, service_pb2_grpc

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.http2 import PREFACE
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import Watchlist
from sidecar.serving.capture.proxy.observer import ConnectionObserver
from sidecar.wire.reasons import DropReason
from tests.support.running_proxy import Collector, RunningProxy
from tests.support.v2_upstream import Upstream


class Chunks(list[tuple[bool, bytes]]):
    """What passed, in order: whether the client sent it, and the bytes. Too long to be printed."""

    def __repr__(self) -> str:
        return f"<{len(self)} chunks>"


LIMIT_BYTES = 5000


@dataclass(frozen=True)
class Result:
    samples: list[tuple[bytes, bytes]]
    sampled: int
    dropped: dict[str, int]
    held_bytes: int
    open_calls: int


@pytest.fixture(scope="module")
def recorded() -> Chunks:
    """One connection: good, large, compressed, failing and cancelled calls, another method."""
    chunks = Chunks()

    class Recorder(ConnectionObserver):
        def hear_client(self, chunk: bytes) -> None:
            chunks.append((True, chunk))
            super().hear_client(chunk)

        def hear_server(self, chunk: bytes) -> None:
            chunks.append((False, chunk))
            super().hear_server(chunk)

    upstream = Upstream()
    upstream.start()
    with RunningProxy(upstream.address, ("echo",), observe=Recorder) as proxy:
        with triton.InferenceServerClient(proxy.address) as client:
            _talk(client, upstream)
        assert proxy.eventually(lambda: proxy.proxy.counts.connections == 0)
    upstream.stop()
    return chunks


def tensor(size: int) -> triton.InferInput:
    made = triton.InferInput("INPUT0", [1, size], "FP32")
    made.set_data_from_numpy(np.arange(size, dtype=np.float32).reshape(1, size))
    return made


def _talk(client: triton.InferenceServerClient, upstream: Upstream) -> None:
    for sent in map(tensor, (10, 300, 2000)):
        client.infer("echo", [sent], headers={"x-shape": str(sent.shape())})
        client.infer("echo", [sent], compression_algorithm="gzip", client_timeout=30.0)
    for model in ("fail", "nobody"):
        with pytest.raises(triton.InferenceServerException):
            client.infer(model, [tensor(10)])
    client.is_server_live()
    call = service_pb2_grpc.GRPCInferenceServiceStub(client._channel).ModelInfer.future(
        service_pb2.ModelInferRequest(model_name="sleep")
    )
    assert upstream.service.began.wait(30)
    call.cancel()
    assert upstream.service.cancelled.wait(30)
    assert call.cancelled()


def observe(chunks: Chunks, *, memory_bytes: int = 1 << 20) -> Result:
    collector = Collector()
    intakes = {
        model: Intake(
            model,
            fraction=1.0,
            max_per_second=1e9,
            max_item_bytes=LIMIT_BYTES,
            sink=collector,
            uniform=lambda: 0.5,
            clock=lambda: 0.0,
        )
        for model in ("echo", "fail", "sleep")
    }
    memory = Memory(memory_bytes)
    observer = ConnectionObserver(Watchlist(intakes), memory)
    most_bytes = 0
    try:
        for from_client, chunk in chunks:
            (observer.hear_client if from_client else observer.hear_server)(chunk)
            most_bytes = max(most_bytes, memory.held_bytes)
            assert memory.held_bytes <= memory_bytes
    except (InvalidError, HPACKError):
        observer.close(DropReason.UNDECODABLE)
    open_calls = observer.open_calls
    observer.close(DropReason.CANCELLED)
    assert memory.held_bytes == 0
    assert all(intake.undecided == 0 for intake in intakes.values())
    dropped = Counter[str]()
    for intake in intakes.values():
        dropped.update(intake.counts.dropped)
    return Result(
        samples=[(one.v2_request, one.v2_response) for one in collector.observations],
        sampled=sum(intake.counts.sampled for intake in intakes.values()),
        dropped=dict(dropped),
        held_bytes=most_bytes,
        open_calls=open_calls,
    )


def test_the_recording_holds_what_was_said(recorded: Chunks) -> None:
    result = observe(recorded)
    assert result.sampled == 4
    assert result.dropped == {"oversize": 2, "failed_call": 1, "cancelled": 1}
    sizes = [
        service_pb2.ModelInferRequest.FromString(request).inputs[0].shape[1] for request, _ in result.samples
    ]
    assert sizes == [10, 10, 300, 300]
    assert result.samples[0] == result.samples[1]
    for request, response in result.samples:
        sent, answered = (
            service_pb2.ModelInferRequest.FromString(request),
            service_pb2.ModelInferResponse.FromString(response),
        )
        assert list(answered.raw_output_contents) == list(sent.raw_input_contents)
    assert result.open_calls == 0


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_any_chunking_gives_the_same(recorded: Chunks, cuts: list[int]) -> None:
    cut = Chunks()
    turn = 0
    for from_client, chunk in recorded:
        at = 0
        while at < len(chunk):
            size = cuts[turn % len(cuts)]
            cut.append((from_client, chunk[at : at + size]))
            at, turn = at + size, turn + 1
    whole = observe(recorded)
    again = observe(cut)
    assert (again.samples, again.dropped) == (whole.samples, whole.dropped)


@given(end=st.integers(0, 60))
def test_a_connection_that_breaks_anywhere_is_accounted_for(recorded: Chunks, end: int) -> None:
    whole, broken = observe(recorded), observe(Chunks(recorded[:end]))
    assert broken.samples == whole.samples[: broken.sampled]
    assert broken.sampled + sum(broken.dropped.values()) <= whole.sampled + sum(whole.dropped.values())


@given(place=st.integers(0, 1 << 30), at=st.integers(0, 1 << 30), garbage=st.binary(min_size=1, max_size=40))
def test_garbage_is_refused_or_read_within_bounds(
    recorded: Chunks, place: int, at: int, garbage: bytes
) -> None:
    chunks = Chunks(recorded)
    from_client, chunk = chunks[place % len(chunks)]
    start = at % (len(chunk) + 1)
    chunks[place % len(chunks)] = (from_client, chunk[:start] + garbage + chunk[start + len(garbage) :])
    assert observe(chunks, memory_bytes=3000).held_bytes <= 3000


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=10))
def test_random_bytes_never_hold_memory(chunks: list[tuple[bool, bytes]]) -> None:
    settings = bytes.fromhex("000000040000000000")
    result = observe(Chunks([(True, PREFACE + settings), (False, settings), *chunks]), memory_bytes=100)
    assert result.held_bytes <= 100


def test_memory_that_is_full_drops_and_says_so(recorded: Chunks) -> None:
    result = observe(recorded, memory_bytes=600)
    assert result.sampled == 2
    assert result.dropped == {"memory_full": 3, "oversize": 1, "failed_call": 1, "cancelled": 1}
