"""Events of KServe's logger: joined in any order, bounded, and each call accounted for once."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.serving.capture.cloudevents.cloud_events import REQUEST, RESPONSE, EventSink
from sidecar.serving.capture.core.intake import Intake
from tests.support.running_proxy import Collector

BODY = b'{"instances": [1]}'
ANSWER = b'{"predictions": [2]}'


class Posting:
    """A sink, and what is posted to it."""

    def __init__(self, *, fraction: float = 1.0, memory_bytes: int = 1 << 20, wait_s: float = 60.0) -> None:
        self.collector = Collector()
        self.intake = Intake(
            "digits",
            fraction=fraction,
            max_per_second=1e9,
            max_item_bytes=1000,
            sink=self.collector,
            uniform=lambda: 0.5,
            clock=lambda: 0.0,
        )
        self.sink = EventSink("/events", {"digits": self.intake}, memory_bytes=memory_bytes, wait_s=wait_s)

    async def post(
        self, kind: str, identity: str, body: bytes | AsyncIterator[bytes] = b"", **fields: str
    ) -> HTTPStatus:
        headers = {"ce-type": kind, "ce-id": identity, "ce-inferenceservicename": "digits"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        return await self.sink.take(headers, once(body) if isinstance(body, bytes) else body)

    @property
    def dropped(self) -> dict[str, int]:
        assert self.intake.undecided == 0
        return dict(self.intake.counts.dropped)


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def broken(body: bytes) -> AsyncIterator[bytes]:
    yield body
    raise ConnectionError


def run(talk: Coroutine[Any, Any, None]) -> None:
    asyncio.run(talk)


@pytest.mark.parametrize("order", [(REQUEST, RESPONSE), (RESPONSE, REQUEST)])
def test_two_events_of_one_id_are_one_call_in_any_order(order: tuple[str, str]) -> None:
    async def talk() -> None:
        posting = Posting()
        for kind in order:
            assert await posting.post(kind, "1", BODY if kind == REQUEST else ANSWER) == HTTPStatus.OK
        observation = posting.collector.observations[0]
        assert (observation.endpoint, observation.http_request) == ("digits", BODY)
        assert observation.http_response == ANSWER
        assert posting.dropped == {}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


@given(st.permutations([(kind, identity) for kind in (REQUEST, RESPONSE) for identity in "abc"]))
def test_calls_are_told_apart_by_their_ids(events: list[tuple[str, str]]) -> None:
    async def talk() -> None:
        posting = Posting()
        for kind, identity in events:
            await posting.post(kind, identity, kind.encode() + identity.encode())
        pairs = {(one.http_request, one.http_response) for one in posting.collector.observations}
        assert pairs == {(f"{REQUEST}{name}".encode(), f"{RESPONSE}{name}".encode()) for name in "abc"}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_an_event_that_comes_twice_counts_once() -> None:
    async def talk() -> None:
        posting = Posting()
        for kind, body in ((REQUEST, BODY), (REQUEST, b"again"), (RESPONSE, ANSWER)):
            await posting.post(kind, "1", body)
        assert posting.collector.observations[0].http_request == BODY
        assert posting.intake.counts.seen == 1

    run(talk())


@pytest.mark.parametrize("kind", [REQUEST, RESPONSE])
def test_what_stays_alone_is_dropped_when_its_time_is_up(kind: str) -> None:
    async def talk() -> None:
        posting = Posting(wait_s=0.0)
        await posting.post(kind, "1", BODY)
        await posting.post(kind, "2", BODY)
        while posting.intake.undecided:  # noqa: ASYNC110 - a timer of the loop has no event
            await asyncio.sleep(0)
        assert posting.dropped == {"unpaired": 2}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_closing_drops_what_waits_and_again_does_nothing() -> None:
    async def talk() -> None:
        posting = Posting()
        await posting.post(REQUEST, "1", BODY)
        await posting.sink.close(0.0)
        await posting.sink.close(0.0)
        assert posting.dropped == {"unpaired": 1}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


@pytest.mark.parametrize(
    ("body", "fields", "dropped"),
    [
        (b"x" * 1001, {}, "oversize"),
        (gzip.compress(b"x" * 1001), {"content_encoding": "gzip"}, "oversize"),
        (b"x", {"content_encoding": "br"}, "unknown_coding"),
        (b"x", {"content_encoding": "gzip"}, "undecodable"),
    ],
)
@pytest.mark.parametrize("kind", [REQUEST, RESPONSE])
def test_what_gives_no_sample_is_counted_once(
    kind: str, body: bytes, fields: dict[str, str], dropped: str
) -> None:
    async def talk() -> None:
        posting = Posting()
        other = RESPONSE if kind == REQUEST else REQUEST
        assert await posting.post(kind, "1", body, **fields) == HTTPStatus.OK
        await posting.post(other, "1", BODY)
        assert posting.dropped == {dropped: 1}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_compressed_bodies_are_handed_over_uncompressed() -> None:
    async def talk() -> None:
        posting = Posting()
        await posting.post(REQUEST, "1", gzip.compress(BODY), content_encoding="gzip")
        await posting.post(RESPONSE, "1", ANSWER)
        assert posting.collector.observations[0].http_request == BODY

    run(talk())


def test_a_sender_that_goes_away_drops_its_call() -> None:
    async def talk() -> None:
        posting = Posting()
        await posting.post(REQUEST, "1", broken(b"half"))
        assert posting.dropped == {"cancelled": 1}
        await posting.post(RESPONSE, "1", ANSWER)
        assert posting.intake.counts.seen == 1
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_a_pair_that_is_given_up_while_its_body_comes_holds_nothing() -> None:
    async def talk() -> None:
        posting = Posting()

        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            await posting.sink.close(0.0)
            yield b"second"

        await posting.post(REQUEST, "1", slow())
        assert posting.dropped == {"unpaired": 1}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_open_pairs_share_one_memory() -> None:
    async def talk() -> None:
        posting = Posting(memory_bytes=(2 << 10) + 100)
        for identity in "abc":
            await posting.post(REQUEST, identity, b"x" * 60)
        assert posting.intake.counts.dropped == {"memory_full": 2}
        assert posting.sink.memory.held_bytes == (2 << 10) + 60
        await posting.post(RESPONSE, "d", b"x")
        await posting.sink.close(0.0)
        assert posting.dropped == {"memory_full": 2, "unpaired": 1}
        assert posting.sink.memory.held_bytes == 0

    run(talk())


def test_what_the_sampler_leaves_out_is_skipped_once_and_not_kept() -> None:
    async def talk() -> None:
        posting = Posting(fraction=0.0)
        await posting.post(REQUEST, "1", BODY)
        await posting.post(RESPONSE, "1", ANSWER)
        assert (posting.intake.counts.seen, posting.intake.counts.skipped) == (1, 1)
        assert posting.sink.memory.held_bytes == 0

    run(talk())


@pytest.mark.parametrize(
    ("fields", "status", "unwatched", "unreadable"),
    [
        ({"ce_inferenceservicename": "other"}, HTTPStatus.OK, 1, 0),
        ({"ce_type": "com.example.other"}, HTTPStatus.BAD_REQUEST, 0, 1),
        ({"ce_id": ""}, HTTPStatus.BAD_REQUEST, 0, 1),
        ({"ce_id": "x" * 257}, HTTPStatus.BAD_REQUEST, 0, 1),
    ],
)
def test_events_of_no_endpoint(
    fields: dict[str, str], status: HTTPStatus, unwatched: int, unreadable: int
) -> None:
    async def talk() -> None:
        posting = Posting()
        assert await posting.post(REQUEST, "1", BODY, **fields) == status
        counts = posting.sink.counts
        assert (counts.unwatched_calls, counts.unreadable_calls) == (unwatched, unreadable)
        assert posting.intake.counts.seen == 0

    run(talk())


@pytest.mark.parametrize(
    ("metadata", "segment"),
    [
        ('{"X-Region": ["eu", "us"]}', b"eu"),
        ('{"X-Region": []}', b""),
        ('{"X-Region": {}}', b""),
        ('["X-Region"]', b""),
        ("{", b""),
        ("", b""),
    ],
)
def test_a_header_that_the_logger_passes_on_names_the_segment(metadata: str, segment: bytes) -> None:
    async def talk() -> None:
        posting = Posting()
        posting.intake.segment_key = "x-region"
        await posting.post(REQUEST, "1", BODY, ce_metadata=metadata)
        await posting.post(RESPONSE, "1", ANSWER, ce_metadata='{"X-Region": ["no"]}')
        assert posting.collector.observations[0].segment == segment

    run(talk())
