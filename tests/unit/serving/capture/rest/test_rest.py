"""The HTTP/1.1 observer on conversations written by hand: their samples, whatever pieces they come in."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import Watchlist
from sidecar.serving.capture.rest.rest import RestObserver
from sidecar.wire.reasons import DropReason
from tests.support.running_proxy import Collector

LIMIT_BYTES = 1000
END = b""

# What passed, in order: whether the client sent it, and the bytes.
Chunks = list[tuple[bool, bytes]]
Sample = tuple[bytes, bytes]


@dataclass(frozen=True)
class Result:
    samples: list[Sample]
    dropped: dict[str, int]
    unwatched: int = 0
    is_read: bool = True


def observe(chunks: Chunks, *, memory_bytes: int = 1 << 20) -> Result:
    collector = Collector()
    intake = Intake(
        "digits",
        fraction=1.0,
        max_per_second=1e9,
        max_item_bytes=LIMIT_BYTES,
        sink=collector,
        uniform=lambda: 0.5,
        clock=lambda: 0.0,
    )
    intake.segment_key = "x-region"
    memory, watchlist = Memory(memory_bytes), Watchlist({"m n": intake})
    observer = RestObserver(watchlist, memory)
    is_read = True
    try:
        for from_client, chunk in chunks:
            (observer.hear_client if from_client else observer.hear_server)(chunk)
            assert memory.held_bytes <= memory_bytes
    except (InvalidError, httptools.HttpParserError, httptools.HttpParserUpgrade):
        is_read = False
        observer.close(DropReason.UNDECODABLE)
    observer.close(DropReason.CANCELLED)
    assert memory.held_bytes == 0
    assert observer.open_calls == intake.undecided == 0
    assert intake.counts.sampled == len(collector.observations)
    return Result(
        [(one.http_request, one.http_response) for one in collector.observations],
        dict(intake.counts.dropped),
        watchlist.unwatched_calls,
        is_read,
    )


def sized(start: bytes, body: bytes, *fields: bytes) -> bytes:
    """A message whose head says how long its body is."""
    return b"\r\n".join([start, *fields, b"Content-Length: %d" % len(body), b"", body])


def chunked(start: bytes, body: bytes, *fields: bytes) -> bytes:
    """A message whose body comes in chunks, with a trailer that is named like a field."""
    half = len(body) // 2
    pieces = [piece for piece in (body[:half], body[half:]) if piece]
    cut = b"".join(b"%x;why=not\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    head = b"\r\n".join([start, *fields, b"transfer-encoding: Chunked", b"", b""])
    return head + cut + b"0\r\nContent-Encoding: br\r\n\r\n"


ASK = b"POST /v2/models/m%20n/infer HTTP/1.1"
OK = b"HTTP/1.1 200 OK"
GOOD: Chunks = [(True, sized(ASK, b"in")), (False, sized(OK, b"out"))]
ONE = Result([(b"in", b"out")], {})
UNREAD = Result([], {"undecodable": 1}, is_read=False)


def asked(request: bytes, answer: bytes = GOOD[1][1]) -> Chunks:
    return [(True, request), (False, answer)]


def answered(answer: bytes) -> Chunks:
    return [GOOD[0], (False, answer)]


CASES: dict[str, tuple[Chunks, Result]] = {
    "a call": (GOOD, ONE),
    "a version": (asked(sized(b"POST /v2/models/m%20n/versions/3/infer?a=/b HTTP/1.1", b"in")), ONE),
    "a target with a host": (asked(sized(b"POST http://h:1/v2/models/m%20n/infer HTTP/1.1", b"in")), ONE),
    "chunks and trailers": (asked(chunked(ASK, b"in"), chunked(OK, b"out")) * 2, Result(ONE.samples * 2, {})),
    "kept alive": (GOOD * 3, Result(ONE.samples * 3, {})),
    "pipelined": (
        [
            (True, b"".join(sized(ASK, b"%d" % n) for n in range(3))),
            (False, b"".join(sized(OK, b"a%d" % n) for n in range(3))),
        ],
        Result([(b"%d" % n, b"a%d" % n) for n in range(3)], {}),
    ),
    "100 continue": (
        [
            (True, sized(ASK, b"in", b"Expect: 100-continue")[:-2]),
            (False, b"HTTP/1.1 100 Continue\r\n\r\n"),
            (True, b"in"),
            (False, b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + sized(OK, b"out")),
        ],
        ONE,
    ),
    "refused before it was sent": (
        [
            (True, sized(ASK, b"in", b"Expect: 100-continue")[:-2]),
            (False, sized(b"HTTP/1.1 417 No", b"why")),
            (True, b"in"),
            *GOOD,
        ],
        Result(ONE.samples, {"failed_call": 1}),
    ),
    "answered before its head was whole": (
        [(True, ASK), (False, sized(b"HTTP/1.1 408 Slow", b"")), (True, sized(b"", b"in")), *GOOD],
        ONE,
    ),
    "the server leaves before a head was whole": (
        [(True, ASK), (False, END), (True, sized(b"", b"in"))],
        Result([], {}),
    ),
    "answered before it was sent": (
        [(True, GOOD[0][1][:-1]), GOOD[1], (True, b"n"), *GOOD],
        Result(ONE.samples, {"failed_call": 1}),
    ),
    "closed": (
        asked(sized(ASK, b"in", b"Connection: close"), sized(OK, b"out", b"Connection: close")),
        ONE,
    ),
    "an answer of unsaid length": (
        [*answered(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nout"), (False, END), (True, END)],
        ONE,
    ),
    "an answer of unsaid length, cut off": (
        answered(b"HTTP/1.0 200 OK\r\n\r\nout"),
        Result([], {"cancelled": 1}),
    ),
    "an answer shorter than it says": (
        [*answered(sized(OK, b"out")[:-1]), (False, END)],
        Result([], {"failed_call": 1}),
    ),
    "an answer longer than it says": (
        answered(sized(OK, b"out") + b"put"),
        Result(ONE.samples, {}, is_read=False),
    ),
    "an answer that nobody asked for": (
        [GOOD[1], *GOOD],
        Result([], {}, is_read=False),
    ),
    "no answer": ([GOOD[0], (False, END)], Result([], {"failed_call": 1})),
    "an error": (answered(sized(b"HTTP/1.1 500 Oh", b"why")), Result([], {"failed_call": 1})),
    "a large error": (
        answered(sized(b"HTTP/1.1 500 Oh", bytes(LIMIT_BYTES + 1))),
        Result([], {"failed_call": 1}),
    ),
    "no content": (answered(b"HTTP/1.1 204 None\r\n\r\n") + GOOD, Result(ONE.samples, {"failed_call": 1})),
    "not modified": (
        answered(b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n") + GOOD,
        Result(ONE.samples, {"failed_call": 1}),
    ),
    "heads": (
        [
            *(
                [
                    (True, b"HEAD /v2/health/live HTTP/1.1\r\n\r\n"),
                    (False, OK + b"\r\nContent-Length: 7\r\n\r\n"),
                ]
                * 2
            ),
            (True, b"HEAD / HTTP/1.1\r\n\r\n" + GOOD[0][1]),
            (False, OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + GOOD[1][1]),
        ],
        ONE,
    ),
    "a head behind an open call": ([(True, GOOD[0][1] + b"HEAD / HTTP/1.1\r\n\r\n"), GOOD[1]], UNREAD),
    "other requests": (
        [
            *asked(b"GET /v2/models/m%20n/infer HTTP/1.1\r\n\r\n", sized(OK, b"{}")),
            *asked(sized(b"POST /v2/models/m%20n/generate HTTP/1.1", b"{}"), sized(OK, b"{}")),
            *asked(sized(b"POST /v2/models/m/n/infer HTTP/1.1", b"{}"), sized(OK, b"{}")),
            *GOOD,
        ],
        ONE,
    ),
    "another model": (asked(sized(b"POST /v2/models/n/infer HTTP/1.1", b"")), Result([], {}, unwatched=1)),
    "gzip and deflate": (
        asked(
            sized(ASK, gzip.compress(b"in"), b"CONTENT-ENCODING: GZip"),
            chunked(OK, zlib.compress(b"out"), b"Content-Encoding: deflate"),
        ),
        ONE,
    ),
    "identity": (asked(sized(ASK, b"in", b"Content-Encoding: identity")), ONE),
    "an unknown coding": (
        answered(sized(OK, b"out", b"Content-Encoding: br")),
        Result([], {"unknown_coding": 1}),
    ),
    "two codings": (
        answered(sized(OK, gzip.compress(b"out"), b"Content-Encoding: gzip", b"content-encoding: gzip")),
        Result([], {"unknown_coding": 1}),
    ),
    "a coding of the transfer": (
        asked(b"%s\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nin\r\n0\r\n\r\n" % ASK),
        Result([], {"unknown_coding": 1}),
    ),
    "a coding that is a lie": (
        asked(sized(ASK, b"in", b"Content-Encoding: gzip")),
        Result([], {"undecodable": 1}),
    ),
    "a bomb": (
        asked(sized(ASK, gzip.compress(bytes(LIMIT_BYTES + 1)), b"Content-Encoding: gzip")),
        Result([], {"oversize": 1}),
    ),
    "an answer as large as may be": (
        answered(sized(OK, bytes(LIMIT_BYTES))),
        Result([(b"in", bytes(LIMIT_BYTES))], {}),
    ),
    "a large answer": (answered(sized(OK, bytes(LIMIT_BYTES + 1))), Result([], {"oversize": 1})),
    "a large request, then a good one": (
        asked(chunked(ASK, bytes(LIMIT_BYTES + 1))) + GOOD,
        Result(ONE.samples, {"oversize": 1}),
    ),
    "an upgrade": (
        asked(sized(ASK, b"in", b"Connection: Upgrade", b"Upgrade: h2c")),
        UNREAD,
    ),
    "a tunnel": ([(True, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), *GOOD], Result([], {}, is_read=False)),
    "two lengths": (asked(sized(ASK, b"in", b"Content-Length: 3")), Result([], {}, is_read=False)),
    "HTTP/2": ([(True, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), *GOOD], Result([], {}, is_read=False)),
    "the client leaves": ([(True, GOOD[0][1][:-1]), (True, END)], Result([], {"cancelled": 1})),
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Chunks, Result]:
    found: tuple[Chunks, Result] = request.param
    return found


def pieces(chunk: bytes, cuts: Iterable[int]) -> list[bytes]:
    return [chunk[start:end] for start, end in pairwise([0, *cuts, len(chunk)])]


def test_a_conversation_gives_what_it_says(case: tuple[Chunks, Result]) -> None:
    chunks, wanted = case
    assert observe(chunks) == wanted


def test_so_it_does_byte_by_byte_and_split_at_every_place(case: tuple[Chunks, Result]) -> None:
    chunks, wanted = case
    single = [(who, piece) for who, chunk in chunks for piece in pieces(chunk, range(1, len(chunk)))]
    assert observe(single) == wanted
    for number, (who, chunk) in enumerate(chunks):
        for at in range(1, min(len(chunk), 300)):
            split = [(who, piece) for piece in pieces(chunk, [at])]
            assert observe([*chunks[:number], *split, *chunks[number + 1 :]]) == wanted


def test_a_call_cut_off_anywhere_has_one_fate(case: tuple[Chunks, Result]) -> None:
    chunks, wanted = case
    for number, (who, chunk) in enumerate(chunks):
        for at in range(0, min(len(chunk), 300), 7):
            cut = observe([*chunks[:number], (who, chunk[:at] or b"\r\n")])
            assert len(cut.samples) + sum(cut.dropped.values()) <= len(wanted.samples) + sum(
                wanted.dropped.values()
            )


_BODIES = st.binary(max_size=60)
_WRITERS = st.sampled_from([sized, chunked])


@settings(deadline=None)
@given(
    calls=st.lists(
        st.tuples(_WRITERS, _BODIES, _WRITERS, _BODIES, st.sampled_from([200, 400])), min_size=1, max_size=6
    ),
    pipelined=st.booleans(),
    cut_bytes=st.integers(1, 80),
)
def test_any_calls_in_any_pieces_are_the_samples_in_order(
    calls: list[tuple[Callable[..., bytes], bytes, Callable[..., bytes], bytes, int]],
    *,
    pipelined: bool,
    cut_bytes: int,
) -> None:
    talk: Chunks = []
    for ask, request, answer, response, status in calls:
        coded = gzip.compress(response)
        answer_bytes = answer(b"HTTP/1.1 %d So" % status, coded, b"Content-Encoding: gzip")
        talk += [(True, ask(ASK, request)), (False, answer_bytes)]
    if pipelined:
        talk = [(who, b"".join(chunk for other, chunk in talk if other is who)) for who in (True, False)]
    cut = [
        (who, piece)
        for who, chunk in talk
        for piece in pieces(chunk, range(cut_bytes, len(chunk), cut_bytes))
    ]
    failed = sum(status != 200 for *_, status in calls)
    samples = [(request, response) for _, request, _, response, status in calls if status == 200]
    assert observe(cut) == Result(samples, {"failed_call": failed} if failed else {})


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=10), st.integers(0, 60))
def test_random_bytes_never_hold_memory(chunks: Chunks, at: int) -> None:
    result = observe([(True, GOOD[0][1][:at]), *chunks], memory_bytes=100)
    assert sum(result.dropped.values()) + len(result.samples) <= 1 + len(chunks)


def test_memory_that_is_full_drops_and_says_so() -> None:
    assert observe(GOOD, memory_bytes=4) == Result([], {"memory_full": 1})


def test_a_head_or_trailers_without_end_are_not_followed() -> None:
    flood = [(True, b"x-%d: y\r\n" % number * 100) for number in range(200)]
    assert observe([(True, ASK + b"\r\n"), *flood]) == Result([], {}, is_read=False)
    body = b"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert observe([(True, ASK + body), *flood]) == UNREAD


def test_more_open_calls_than_anyone_makes_are_not_followed() -> None:
    many = [(True, GOOD[0][1])] * 1025
    assert observe(many) == Result([], {"undecodable": 1024}, is_read=False)


def test_the_segment_is_the_fields_value_whatever_its_case() -> None:
    collector = Collector()
    intake = Intake(
        "digits",
        fraction=1.0,
        max_per_second=1e9,
        max_item_bytes=LIMIT_BYTES,
        sink=collector,
        uniform=lambda: 0.5,
        clock=lambda: 0.0,
    )
    intake.segment_key = "x-region"
    watchlist = Watchlist({})
    observer = RestObserver(watchlist, Memory(100))
    watchlist.watch({"m n": intake})
    for fields in ((b"X-Region: eu",), (), (b"x-region: " + b"u" * 300,)):
        observer.hear_client(sized(ASK, b"in", *fields))
        observer.hear_server(GOOD[1][1])
    assert [one.segment for one in collector.observations] == [b"eu", b"", b"u" * 256]
