"""One V2 inference call over HTTP that the sampler wanted: its two bodies, gathered within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from pilotfish.internal.v1 import scoring_pb2

from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import Memory, inflated
from sidecar.wire.reasons import DropReason


class RestCall:
    """Ends with exactly one `take` or `drop` of its intake; what it is told after that it ignores."""

    __slots__ = ("_asked_s", "_intake", "_is_open", "_request", "_response", "_segment")

    def __init__(self, intake: Intake, segment: bytes, coding: bytes, memory: Memory) -> None:
        """Begins with what the request's head says; `coding` as `coding_of` gives it."""
        self._asked_s = intake.clock()
        self._intake = intake
        self._is_open = True
        self._request = _Body(coding, intake.sampling.max_item_bytes, memory)
        self._response = _Body(b"", intake.sampling.max_item_bytes, memory)
        self._segment = segment

    def hear_request(self, piece: bytes) -> None:
        """Takes the next bytes of the request's body."""
        # Until the last piece is there, the client has the time and not the model server.
        self._asked_s = self._intake.clock()
        self._gather(self._request, piece)

    def answered_in(self, coding: bytes) -> None:
        """Takes the coding of the answer's body."""
        self._response.coding = coding

    def hear_response(self, piece: bytes) -> None:
        """Takes the next bytes of the answer's body."""
        self._gather(self._response, piece)

    def succeed(self) -> None:
        """The call ended well: the sample is handed over."""
        if not self._is_open:
            return
        request, response = self._request.content(), self._response.content()
        if isinstance(request, DropReason):
            self.drop(request)
        elif isinstance(response, DropReason):
            self.drop(response)
        else:
            self._end()
            self._intake.take(
                scoring_pb2.Observation(
                    endpoint=self._intake.endpoint,
                    http_request=request,
                    http_response=response,
                    segment=self._segment,
                    asked_s=self._asked_s,
                    latency_s=self._intake.clock() - self._asked_s,
                )
            )

    def drop(self, reason: DropReason) -> None:
        """The call gives no sample."""
        if self._is_open:
            self._end()
            self._intake.drop(reason)

    def _gather(self, body: _Body, piece: bytes) -> None:
        reason = body.add(piece) if self._is_open else None
        if reason is not None:
            self.drop(reason)

    def _end(self) -> None:
        self._is_open = False
        self._request.release()
        self._response.release()


class _Body:
    __slots__ = ("_bytes", "_limit_bytes", "_memory", "coding")

    def __init__(self, coding: bytes, limit_bytes: int, memory: Memory) -> None:
        self.coding = coding
        self._bytes = bytearray()
        self._limit_bytes = limit_bytes
        self._memory = memory

    def add(self, piece: bytes) -> DropReason | None:
        if len(self._bytes) + len(piece) > self._limit_bytes:
            return DropReason.OVERSIZE
        if not self._memory.take(len(piece)):
            return DropReason.MEMORY_FULL
        self._bytes += piece
        return None

    def content(self) -> bytes | DropReason:
        body = bytes(self._bytes)
        return inflated(body, self.coding, self._limit_bytes) if self.coding else body

    def release(self) -> None:
        self._memory.give_back(len(self._bytes))
        self._bytes = bytearray()


def coding_of(fields: Mapping[bytes, bytes]) -> bytes:
    """What a body went through beside being cut into chunks; empty for nothing.

    Args:
        fields: of the head, by lower-case name.
    """
    content = fields.get(b"content-encoding", b"identity").strip().lower()
    transfer = fields.get(b"transfer-encoding", b"chunked").strip().lower()
    return b",".join(
        coding for coding, plain in ((content, b"identity"), (transfer, b"chunked")) if coding != plain
    )
