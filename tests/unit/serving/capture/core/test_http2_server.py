"""The server's end of HTTP/2, on bytes made by hand; real clients talk to it in tests/integration."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from sidecar.serving.capture.core.accepting import Closable
from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.http2 import PREFACE
from sidecar.serving.capture.core.http2_server import ServerConnection
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.mirror import mirror
from tests.support.running_proxy import Collector

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INFER = "/inference.GRPCInferenceService/ModelInfer"
REQUEST = service_pb2.ModelInferRequest(model_name="echo", id="one").SerializeToString()
BODY = b"\0" + len(REQUEST).to_bytes(4, "big") + REQUEST
Frame = tuple[int, int, int, bytes]


class Wire(asyncio.Transport):
    """Keeps what is written; is its own socket."""

    def __init__(self) -> None:
        super().__init__({"socket": self})
        self.sent: bytes = b""
        self.reading = True
        self.ended = ""

    def setsockopt(self, *_: object) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class NeverListening(CopyServer):
    def on_open(self, connection: Closable) -> None:
        pass


class Talk:
    """A mirror, one connection to it, and the client's side of that."""

    def __init__(self, memory_bytes: int = 1 << 20) -> None:
        self.collector = Collector()
        self.intake = Intake(
            "echo",
            fraction=1.0,
            max_per_second=1e9,
            max_item_bytes=1 << 20,
            sink=self.collector,
            uniform=lambda: 0.5,
            clock=lambda: 0.0,
        )
        self.server = NeverListening(
            "127.0.0.1:0", "mirror.listen", mirror.begin, {"echo": self.intake}, memory_bytes=memory_bytes
        )
        self.wire = Wire()
        self.connection = ServerConnection(self.server)
        self.connection.connection_made(self.wire)
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._read = 0

    def begin(self) -> bytes:
        return PREFACE + frame(SETTINGS, 0, 0, b"")

    def call(self, stream: int, path: str = INFER, body: bytes = BODY) -> bytes:
        block = self._encoder.encode([(":method", "POST"), (":path", path), ("x-unique", str(stream))])
        return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, body)

    def hear(self, data: bytes) -> list[Frame]:
        self.connection.data_received(data)
        return self.said()

    def said(self) -> list[Frame]:
        new, self._read = self.wire.sent[self._read :], len(self.wire.sent)
        return list(frames(new))

    def fields(self, block: bytes) -> dict[str, str]:
        return {str(name): str(value) for name, value in self._decoder.decode(block)}


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def frames(data: bytes) -> Iterator[Frame]:
    while data:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]
        data = data[9 + size :]


def test_it_lets_the_client_send_all_it_has() -> None:
    talk = Talk()
    settings, window = talk.said()
    assert settings[:3] == (SETTINGS, 0, 0)
    assert dict(struct.iter_unpack(">HL", settings[3])) == {3: 16384, 4: (1 << 31) - 1}
    assert window == (WINDOW_UPDATE, 0, 0, ((16 << 20) - 65535).to_bytes(4, "big"))


def test_settings_and_pings_are_acknowledged_and_their_acknowledgements_are_not() -> None:
    talk = Talk()
    talk.said()
    assert talk.hear(talk.begin() + frame(SETTINGS, ACK, 0, b"") + frame(PING, 0, 0, b"12345678")) == [
        (SETTINGS, ACK, 0, b""),
        (PING, ACK, 0, b"12345678"),
    ]
    assert talk.hear(frame(PING, ACK, 0, b"12345678") + frame(0x42, 0, 0, b"?")) == []


def test_an_inference_is_answered_with_an_empty_message() -> None:
    talk = Talk()
    talk.hear(talk.begin())
    head, message, tail = talk.hear(talk.call(1))
    assert head[:3] == (HEADERS, END_HEADERS, 1)
    assert talk.fields(head[3]) == {":status": "200", "content-type": "application/grpc"}
    assert message == (DATA, 0, 1, b"\0\0\0\0\0")
    assert tail[:3] == (HEADERS, END_HEADERS | END_STREAM, 1)
    assert talk.fields(tail[3]) == {"grpc-status": "0"}
    assert talk.collector.observations[0].v2_request == REQUEST


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/grpc.health.v1.Health/Check", b"\x08\x01"),
        ("/inference.GRPCInferenceService/ServerReady", b"\x08\x01"),
        ("/inference.GRPCInferenceService/ModelStreamInfer", None),
    ],
)
def test_other_methods(path: str, message: bytes | None) -> None:
    talk = Talk()
    talk.hear(talk.begin())
    answer = talk.hear(talk.call(1, path, b"\0\0\0\0\0"))
    if message is None:
        assert len(answer) == 1
        assert talk.fields(answer[0][3])["grpc-status"] == "12"
    else:
        assert answer[1][3] == b"\0" + len(message).to_bytes(4, "big") + message
    assert talk.intake.counts.seen == 0


@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    whole, talk = Talk(), Talk()
    sent = whole.begin() + b"".join(whole.call(stream) for stream in (1, 3, 5))
    whole.hear(sent)
    at = turn = 0
    while at < len(sent):
        size = cuts[turn % len(cuts)]
        talk.connection.data_received(sent[at : at + size])
        at, turn = at + size, turn + 1
    assert talk.wire.sent == whole.wire.sent
    assert talk.collector.observations == whole.collector.observations


def test_answers_wait_for_the_clients_window() -> None:
    talk = Talk()
    talk.hear(talk.begin())
    talk.connection._room = 12
    answers = talk.hear(b"".join(talk.call(stream) for stream in (1, 3, 5, 7)))
    assert {one[2] for one in answers} == {1, 3}
    assert talk.hear(frame(WINDOW_UPDATE, 0, 5, (100).to_bytes(4, "big"))) == []
    assert {one[2] for one in talk.hear(frame(WINDOW_UPDATE, 0, 0, (3).to_bytes(4, "big")))} == {5}
    assert {one[2] for one in talk.hear(frame(WINDOW_UPDATE, 0, 0, (5).to_bytes(4, "big")))} == {7}
    assert talk.intake.counts.sampled == 4


def test_a_client_that_takes_no_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.serving.capture.core.http2_server._MAX_STREAMS", 2)
    talk = Talk()
    talk.hear(talk.begin())
    talk.connection._room = 0
    talk.hear(b"".join(talk.call(stream) for stream in (1, 3, 5)))
    assert talk.wire.ended == "aborted"
    assert talk.server.counts.unreadable_connections == 1


def test_the_clients_window_is_filled_up_as_it_sends() -> None:
    talk = Talk()
    talk.hear(talk.begin())
    body = b"\0" * (16 << 10)
    large = talk.call(1)[: -9 - len(BODY)] + frame(DATA, 0, 1, body) * 300
    given_back = [one for one in talk.hear(large) if one[0] == WINDOW_UPDATE]
    assert given_back == [(WINDOW_UPDATE, 0, 0, (300 * len(body)).to_bytes(4, "big"))]


def test_open_calls_are_bounded_by_the_memory() -> None:
    talk = Talk(memory_bytes=3 << 10)
    talk.hear(talk.begin())
    heads = [talk.call(stream)[: -9 - len(BODY)] for stream in (1, 3, 5, 7)]
    answers = talk.hear(b"".join(heads))
    assert [(kind, stream) for kind, _, stream, _ in answers] == [(HEADERS, 7), (RST_STREAM, 7)]
    assert talk.fields(answers[0][3])["grpc-status"] == "0"
    assert talk.server.counts.unreadable_calls == 1
    assert talk.hear(frame(DATA, END_STREAM, 7, BODY)) == []
    talk.connection.connection_lost(None)
    assert talk.server.memory.held_bytes == 0
    assert talk.server.counts.unreadable_calls == 4


def test_a_reset_call_is_cancelled() -> None:
    talk = Talk()
    talk.hear(talk.begin() + talk.call(1)[: -9 - len(BODY)] + frame(DATA, 0, 1, BODY))
    talk.hear(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
    assert talk.intake.counts.dropped == {"cancelled": 1}
    assert talk.server.memory.held_bytes == 0


def test_draining_lets_open_calls_end() -> None:
    talk = Talk()
    talk.hear(talk.begin())
    talk.hear(talk.call(1)[: -9 - len(BODY)])
    talk.connection.drain()
    assert talk.said() == [(GOAWAY, 0, 0, (1).to_bytes(4, "big") + b"\0\0\0\0")]
    assert talk.wire.ended == ""
    assert len(talk.hear(frame(DATA, END_STREAM, 1, BODY))) == 3
    assert talk.wire.ended == "closed"


def test_a_client_that_reads_nothing_is_not_read_either() -> None:
    talk = Talk()
    talk.connection.pause_writing()
    assert not talk.wire.reading
    talk.connection.resume_writing()
    assert talk.wire.reading


@given(st.binary(max_size=300), st.booleans())
def test_garbage_ends_the_connection_at_worst(garbage: bytes, begun: bool) -> None:  # noqa: FBT001 - drawn
    talk = Talk()
    talk.hear(talk.begin() if begun else b"")
    talk.connection.data_received(garbage)
    talk.connection.connection_lost(None)
    assert talk.server.memory.held_bytes == 0
    assert talk.intake.undecided == 0
    assert talk.server.counts.unreadable_connections == (talk.wire.ended == "aborted")


@given(at=st.integers(0, 1 << 20), garbage=st.binary(min_size=1, max_size=20))
def test_a_broken_call_is_accounted_for(at: int, garbage: bytes) -> None:
    talk = Talk()
    sent = bytearray(talk.begin() + talk.call(1) + talk.call(3))
    start = at % len(sent)
    sent[start : start + len(garbage)] = garbage
    talk.connection.data_received(bytes(sent))
    talk.connection.connection_lost(None)
    assert talk.server.memory.held_bytes == 0
    assert talk.intake.undecided == 0
    counts = talk.intake.counts
    assert counts.seen == counts.sampled + counts.skipped + sum(counts.dropped.values())


def test_a_sink_that_breaks_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    monkeypatch.setattr(talk.collector, "offer", lambda _: 1 / 0)
    talk.hear(talk.begin() + talk.call(1))
    assert talk.wire.ended == "aborted"
    assert talk.server.counts.unreadable_connections == 1
