import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.serving.capture.core.messages import Memory, Message, MessageCutter, opening
from sidecar.wire.reasons import DropReason

COMPRESSIONS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"": bytes,
}


def framed(content: bytes, encoding: bytes) -> bytes:
    body = COMPRESSIONS[encoding](content)
    return bytes([encoding != b""]) + len(body).to_bytes(4, "big") + body


def gather(stream: bytes, cuts: list[int], message: Message) -> DropReason | None:
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        reason = message.add(memoryview(stream)[at : max(cut, at)])
        if reason is not None:
            return reason
        at = max(cut, at)
    return None


@given(
    content=st.binary(max_size=300),
    encoding=st.sampled_from(sorted(COMPRESSIONS)),
    cuts=st.lists(st.integers(0, 330), max_size=6),
)
def test_gives_back_what_was_sent(content: bytes, encoding: bytes, cuts: list[int]) -> None:
    memory = Memory(1000)
    message = Message(400, memory)
    stream = framed(content, encoding)
    assert gather(stream, [cut for cut in cuts if cut <= len(stream)], message) is None
    assert memory.held_bytes == len(stream)
    assert message.content(encoding) == content
    assert opening(stream, encoding, 10) == content[:10]
    message.release()
    assert memory.held_bytes == 0


@given(stream=st.binary(max_size=100), encoding=st.sampled_from([*COMPRESSIONS, b"snappy"]))
def test_any_bytes_give_a_content_within_the_limit_or_a_reason(stream: bytes, encoding: bytes) -> None:
    message = Message(40, Memory(1000))
    if message.add(stream) is None:
        content = message.content(encoding)
        assert isinstance(content, DropReason) or len(content) <= 40


@pytest.mark.parametrize(
    ("stream", "encoding", "reason"),
    [
        (b"", b"", DropReason.UNDECODABLE),
        (framed(b"abc", b"")[:-1], b"", DropReason.UNDECODABLE),
        (framed(b"abc", b"") * 2, b"", DropReason.UNDECODABLE),
        (framed(b"abc", b"gzip"), b"snappy", DropReason.UNKNOWN_CODING),
        (framed(b"abc", b"gzip"), b"", DropReason.UNKNOWN_CODING),
        (b"\x01\0\0\0\x03abc", b"gzip", DropReason.UNDECODABLE),
        (framed(b"x" * 41, b"gzip"), b"gzip", DropReason.OVERSIZE),
        (framed(b"x" * 10_000_000, b"gzip")[:45], b"gzip", DropReason.OVERSIZE),
    ],
)
def test_what_is_no_message(stream: bytes, encoding: bytes, reason: DropReason) -> None:
    message = Message(40, Memory(1000))
    assert (message.add(stream) or message.content(encoding)) is reason


def test_a_large_message_is_refused_by_its_length_alone() -> None:
    assert Message(40, Memory(1000)).add(b"\0\0\0\0\x29") is DropReason.OVERSIZE
    assert Message(41, Memory(1000)).add(b"\0\0\0\0\x29") is None


def test_all_messages_share_one_memory() -> None:
    memory = Memory(100)
    first, second = Message(80, memory), Message(80, memory)
    assert first.add(b"\0\0\0\0\x50" + b"x" * 60) is None
    assert second.add(b"\0\0\0\0\x50" + b"x" * 60) is DropReason.MEMORY_FULL
    first.release()
    assert second.add(b"\0\0\0\0\x50" + b"x" * 60) is None


@given(contents=st.lists(st.binary(max_size=50), max_size=8), cut=st.integers(1, 60))
def test_a_stream_is_cut_into_the_messages_that_were_sent(contents: list[bytes], cut: int) -> None:
    memory = Memory(200)
    cutter = MessageCutter(memory)
    stream = b"".join(framed(content, b"") for content in contents)
    read: list[bytes] = []
    for at in range(0, len(stream), cut):
        messages = cutter.cut(memoryview(stream)[at : at + cut])
        assert isinstance(messages, list)
        read += messages
    assert read == contents
    assert memory.held_bytes == 0


def test_a_stream_that_cannot_be_cut_says_why() -> None:
    memory = Memory(10)
    assert MessageCutter(memory).cut(memoryview(b"x" * 11)) is DropReason.MEMORY_FULL
    cutter = MessageCutter(memory)
    assert cutter.cut(memoryview(b"\1\0\0\0\1x")) is DropReason.UNKNOWN_CODING
    cutter.release()
    assert memory.held_bytes == 0
