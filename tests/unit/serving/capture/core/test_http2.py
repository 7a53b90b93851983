import contextlib
import struct
from itertools import pairwise
from typing import Any

import pytest
from hpack import Encoder, HPACKError
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.http2 import PREFACE, HeaderBlocks, Http2Reader

KEEP = frozenset({b":path", b"grpc-status"})
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, CONTINUATION = 0, 1, 2, 3, 4, 5, 6, 9
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 1, 4, 8, 32


class Heard:
    """What was heard; adjacent pieces of a stream are joined, for they depend on the chunking."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_headers(self, stream: int, fields: dict[bytes, bytes], *, ended: bool) -> None:
        self.events.append(("headers", stream, fields, ended))

    def on_data(self, stream: int, piece: memoryview, *, ended: bool) -> None:
        if self.events and self.events[-1][:2] == ("data", stream) and not self.events[-1][3]:
            self.events[-1] = ("data", stream, self.events[-1][2] + bytes(piece), ended)
        elif piece or ended:
            self.events.append(("data", stream, bytes(piece), ended))

    def on_reset(self, stream: int) -> None:
        self.events.append(("reset", stream))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


START = PREFACE + frame(SETTINGS, 0, 0, b"")


def heard(stream: bytes, cuts: list[int] | None = None) -> list[Any]:
    events = Heard()
    reader = Http2Reader(events, preface=PREFACE, keep=lambda: KEEP)
    edges = [0, *sorted(cut for cut in cuts or [] if cut < len(stream)), len(stream)]
    for start, end in pairwise(edges):
        reader.feed(stream[start:end])
    return events.events


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """Frames as a peer might send them, and what they mean."""
    encoder, raw, events = Encoder(), START, Heard()
    for _ in range(draw(st.integers(0, 12))):
        stream = draw(st.integers(1, 7))
        kind = draw(st.sampled_from([HEADERS, DATA, RST_STREAM, SETTINGS, PING, PRIORITY, 0xEE]))
        ended = draw(st.booleans())
        padding = draw(st.none() | st.integers(0, 9))
        flags = (END_STREAM if ended else 0) | (PADDED if padding is not None else 0)
        start, end = (b"", b"") if padding is None else (bytes([padding]), b"\0" * padding)
        if kind == DATA:
            content = draw(st.binary(max_size=60))
            raw += frame(DATA, flags, stream, start + content + end)
            events.on_data(stream, memoryview(content), ended=ended)
        elif kind == HEADERS:
            if draw(st.booleans()):
                encoder.header_table_size = draw(st.sampled_from([0, 100, 4096, 8192]))
            path, other = (draw(st.sampled_from([b"/a", b"/bb" * 30, b"/c"])) for _ in range(2))
            block = encoder.encode([(b":path", path), (b"x-other", other), (b"secret", path, True)])
            if draw(st.booleans()):
                start, flags = start + b"\0\0\0\1\7", flags | WITH_PRIORITY
            cut = draw(st.integers(0, len(block)))
            whole = cut == len(block)
            raw += frame(HEADERS, flags | END_HEADERS * whole, stream, start + block[:cut] + end)
            if not whole:
                raw += frame(CONTINUATION, 0, stream, block[cut : cut + 3])
                raw += frame(CONTINUATION, END_HEADERS, stream, block[cut + 3 :])
            events.on_headers(stream, {b":path": path}, ended=ended)
        else:
            raw += frame(kind, flags & ~PADDED, stream, b"\0" * 4)
            if kind == RST_STREAM:
                events.on_reset(stream)
    return raw, events.events


@given(streams(), st.lists(st.integers(1, 400), max_size=20))
def test_any_chunking_gives_what_was_sent(sent: tuple[bytes, list[Any]], cuts: list[int]) -> None:
    assert heard(sent[0], cuts) == sent[1]
    assert heard(sent[0], list(range(1, len(sent[0])))) == sent[1]


@given(streams(), st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(sent: tuple[bytes, list[Any]], garbage: bytes, at: int) -> None:
    broken = sent[0][:at] + garbage + sent[0][at:]
    with contextlib.suppress(InvalidError, HPACKError):
        heard(broken)


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        PREFACE + frame(PING, 0, 0, b"\0" * 8),
        START + frame(HEADERS, END_HEADERS, 0, b"\x84"),
        START + frame(DATA, 0, 0, b"x"),
        START + frame(DATA, PADDED, 1, b"\x05abc"),
        START + frame(HEADERS, END_HEADERS | PADDED, 1, b"\x05\x84"),
        START + frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, b"\x84"),
        START + frame(HEADERS, END_HEADERS | PADDED, 1, b""),
        START + frame(CONTINUATION, END_HEADERS, 1, b"\x84"),
        START + frame(HEADERS, 0, 1, b"\x84") + frame(DATA, 0, 1, b""),
        START + frame(HEADERS, 0, 1, b"\x84") + frame(CONTINUATION, END_HEADERS, 3, b""),
        START + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, b"x" * 40_000) * 2,
        START + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x84"),
    ],
)
def test_what_is_refused(stream: bytes) -> None:
    with pytest.raises(InvalidError):
        heard(stream)


def test_equal_blocks_are_read_anew_when_the_table_changed() -> None:
    # 0xbe is the newest entry of the table: the same byte means something else each time.
    insert = b"\x40\x05:path"
    raw = START
    for path in (b"/one", b"/two"):
        raw += frame(HEADERS, END_HEADERS, 1, insert + bytes([len(path)]) + path)
        raw += frame(HEADERS, END_HEADERS, 1, b"\xbe") * 2
    paths = [event[2][b":path"] for event in heard(raw)]
    assert paths == [b"/one"] * 3 + [b"/two"] * 3


def test_an_entry_that_replaces_all_others_is_noticed() -> None:
    # Each fills the whole table, so that its length stays 1.
    raw = START
    for letter in (b"a", b"b", b"c"):
        raw += frame(HEADERS, END_HEADERS, 1, b"\x40\x05:path\x7f\xa1\x1e" + letter * 4000)
        raw += frame(HEADERS, END_HEADERS, 1, b"\xbe")
    assert [event[2][b":path"][:1] for event in heard(raw)] == [b"a", b"a", b"b", b"b", b"c", b"c"]


def test_a_field_that_is_kept_from_now_on_is_read_of_a_block_that_is_known() -> None:
    kept = [frozenset({b":path"})]
    blocks = HeaderBlocks(lambda: kept[0])
    encoder, fields = Encoder(), [(":path", "/a"), ("x-region", "eu")]
    for _ in range(3):
        block = encoder.encode(fields)
        assert blocks.decode(block) == {b":path": b"/a"}
    kept[0] = frozenset({b"x-region"})
    # The encoder has nothing new to say: the block is that of before.
    assert encoder.encode(fields) == block
    assert blocks.decode(block) == {b"x-region": b"eu"}
