"""The sink of KServe's logger: requests and their answers come as CloudEvents, joined on their id.

An event is always answered with yes, whatever becomes of it: the logger's workers wait for nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from pilotfish.internal.v1 import scoring_pb2

from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.intake import MAX_SEGMENT_BYTES, Intake
from sidecar.serving.capture.core.messages import MEMORY_BYTES, Memory, inflated
from sidecar.wire.reasons import DropReason

REQUEST: Final = "org.kubeflow.serving.inference.request"
RESPONSE: Final = "org.kubeflow.serving.inference.response"
# KServe's own default for how long a call may take.
_WAIT_S: Final = 60.0
_BODY_S: Final = 10.0
# About what an open pair's objects take; ids are UUIDs unless clients make their own.
_PAIR_BYTES: Final = 1 << 10
_MAX_ID_CHARACTERS: Final = 256


@dataclass(slots=True)
class _Pair:
    """A call of which at least one event came.

    Attributes:
        intake: whose it is.
        until_s: when the other event is no longer waited for.
        wanted: by the sampler; False also when it was dropped.
        begun: kinds of events that came.
        bodies: what was read to the end, by kind, as it came: its coding and its bytes.
        held_bytes: that its bodies took from the memory.
        segment: the request's.
        asked_s: when the request's event came, on the intake's clock.
        times: when the events say that they happened, by kind.
    """

    intake: Intake
    until_s: float
    wanted: bool
    begun: set[str] = field(default_factory=set)
    bodies: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    held_bytes: int = 0
    segment: bytes = b""
    asked_s: float = 0.0
    times: dict[str, datetime] = field(default_factory=dict)

    @property
    def latency_s(self) -> float | None:
        """Between request and answer as the events tell it; None where they do not."""
        if self.times.keys() < {REQUEST, RESPONSE}:
            return None
        latency_s = (self.times[RESPONSE] - self.times[REQUEST]).total_seconds()
        return latency_s if latency_s > 0 else None


class EventSink:
    """Takes the events of one path; belongs to one event loop."""

    def __init__(
        self,
        path: str,
        intakes: Mapping[str, Intake],
        *,
        memory_bytes: int = MEMORY_BYTES,
        wait_s: float = _WAIT_S,
    ) -> None:
        """Prepares.

        Args:
            path: of the HTTP port.
            intakes: by `inferenceservicename`.
            memory_bytes: that all open pairs may hold together.
            wait_s: how long the second event of a pair is waited for.
        """
        self.address = path
        self.memory = Memory(memory_bytes)
        self._intakes = dict(intakes)
        self._wait_s = wait_s
        # In the order of `until_s`.
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unwatched_calls = 0
        self._unreadable_calls = 0

    @property
    def counts(self) -> CaptureCounts:
        """Returns the counts up to now."""
        return CaptureCounts(self._unwatched_calls, self._unreadable_calls)

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by `inferenceservicename`; calls under way keep theirs."""
        self._intakes = dict(intakes)

    async def start(self) -> None:
        """Does nothing: the HTTP port is there already."""

    async def close(self, grace_s: float) -> None:  # noqa: ARG002 - pairs that are open stay so without the port
        """Drops what waits for its other event; again does nothing."""
        if self._timer is not None:
            self._timer.cancel()
        for key in list(self._pairs):
            self._forget(key, DropReason.UNPAIRED)

    async def take(self, headers: Mapping[str, str], body: AsyncIterable[bytes]) -> HTTPStatus:
        """Takes one event in binary content mode.

        Args:
            headers: of the HTTP request, names in lower case.
            body: its pieces; read to the end.

        Returns:
            BAD_REQUEST when it is no event of an inference, OK otherwise.
        """
        identity, kind = headers.get("ce-id", ""), headers.get("ce-type", "")
        model = headers.get("ce-inferenceservicename", "")
        key, pair = (model, identity), None
        readable = 0 < len(identity) <= _MAX_ID_CHARACTERS and kind in {REQUEST, RESPONSE}
        if not readable:
            self._unreadable_calls += 1
        elif model in self._intakes:
            pair = self._begin(key, kind)
        elif kind == REQUEST:
            self._unwatched_calls += 1
        try:
            async with asyncio.timeout(_BODY_S):
                content = await self._read(body, pair)
        except OSError:  # the time is up, or the sender is gone
            content = DropReason.CANCELLED
        if pair is not None:
            self._end(key, pair, kind, headers, content)
        return HTTPStatus.OK if readable else HTTPStatus.BAD_REQUEST

    def _begin(self, key: tuple[str, str], kind: str) -> _Pair | None:
        """The pair that an event belongs to; None when it came a second time or there is no room."""
        pair = self._pairs.get(key)
        if pair is None:
            intake = self._intakes[key[0]]
            if not self.memory.take(_PAIR_BYTES):
                if kind == REQUEST and intake.wants():
                    intake.drop(DropReason.MEMORY_FULL)
                return None
            until_s = asyncio.get_running_loop().time() + self._wait_s
            pair = self._pairs[key] = _Pair(intake, until_s, intake.wants())
            if self._timer is None:
                self._wake(until_s)
        elif kind in pair.begun:
            return None
        pair.begun.add(kind)
        return pair

    async def _read(self, body: AsyncIterable[bytes], pair: _Pair | None) -> bytes | DropReason:
        """Reads to the end and keeps what may be kept; what it keeps is charged to the pair."""
        content = bytearray()
        reason: DropReason | None = None
        async for piece in body:
            if pair is None or not pair.wanted or reason is not None:
                continue
            if len(content) + len(piece) > pair.intake.sampling.max_item_bytes:
                reason = DropReason.OVERSIZE
            elif not self.memory.take(len(piece)):
                reason = DropReason.MEMORY_FULL
            else:
                pair.held_bytes += len(piece)
                content += piece
        return reason or bytes(content)

    def _end(
        self,
        key: tuple[str, str],
        pair: _Pair,
        kind: str,
        headers: Mapping[str, str],
        content: bytes | DropReason,
    ) -> None:
        """An event was read."""
        if isinstance(content, DropReason):
            self._drop(pair, content)
            content = b""
        if kind == REQUEST:
            pair.segment = _segment(headers.get("ce-metadata", ""), pair.intake.segment_key)
            pair.asked_s = pair.intake.clock()
        with contextlib.suppress(ValueError):
            time = datetime.fromisoformat(headers.get("ce-time", ""))
            pair.times[kind] = time if time.tzinfo else time.replace(tzinfo=UTC)
        pair.bodies[kind] = headers.get("content-encoding", "identity").encode(), content
        if len(pair.bodies) == len({REQUEST, RESPONSE}) and self._pairs.get(key) is pair:
            self._complete(key, pair)

    def _complete(self, key: tuple[str, str], pair: _Pair) -> None:
        """Both events were read."""
        if pair.wanted:
            limit_bytes = pair.intake.sampling.max_item_bytes
            request, response = (_decoded(*pair.bodies[kind], limit_bytes) for kind in (REQUEST, RESPONSE))
            if isinstance(request, DropReason):
                self._drop(pair, request)
            elif isinstance(response, DropReason):
                self._drop(pair, response)
            else:
                pair.wanted = False
                latency_s = pair.latency_s
                pair.intake.take(
                    scoring_pb2.Observation(
                        endpoint=pair.intake.endpoint,
                        http_request=request,
                        http_response=response,
                        segment=pair.segment,
                        asked_s=None if latency_s is None else pair.asked_s,
                        latency_s=latency_s,
                    )
                )
        self._forget(key, DropReason.UNPAIRED)

    def _drop(self, pair: _Pair, reason: DropReason) -> None:
        """The call gives no sample; the pair stays, so that its other event is known."""
        if pair.wanted:
            pair.wanted = False
            pair.intake.drop(reason)
        pair.bodies = dict.fromkeys(pair.bodies, (b"", b""))
        self.memory.give_back(pair.held_bytes)
        pair.held_bytes = 0

    def _forget(self, key: tuple[str, str], reason: DropReason) -> None:
        """The pair is open no more; it is dropped unless its fate is decided."""
        pair = self._pairs.pop(key)
        self._drop(pair, reason)
        self.memory.give_back(_PAIR_BYTES)

    def _expire(self) -> None:
        """Forgets what waited for too long, and looks again when the next is due."""
        now = asyncio.get_running_loop().time()
        self._timer = None
        while self._pairs:
            key, pair = next(iter(self._pairs.items()))
            if pair.until_s > now:
                self._wake(pair.until_s)
                return
            self._forget(key, DropReason.UNPAIRED)

    def _wake(self, at_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(at_s, self._expire)


def _decoded(coding: bytes, body: bytes, limit_bytes: int) -> bytes | DropReason:
    return body if coding == b"identity" else inflated(body, coding, limit_bytes)


def _segment(metadata: str, key: str) -> bytes:
    """The value of a header that the logger was told to pass on: a JSON object of lists by name."""
    if not key or not metadata:
        return b""
    try:
        passed = json.loads(metadata)
        values = {name.lower(): values for name, values in passed.items()}.get(key, [])
        return str(values[0]).encode()[:MAX_SEGMENT_BYTES] if values else b""
    except (ValueError, AttributeError, LookupError, TypeError):
        return b""
