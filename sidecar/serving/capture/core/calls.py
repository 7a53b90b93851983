"""One V2 ModelInfer call as captures see it: first unnamed, then, if the sampler wants it, a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from pilotfish.internal.v1 import scoring_pb2

from sidecar.serving.capture.core.intake import MAX_SEGMENT_BYTES, Intake
from sidecar.serving.capture.core.messages import PREFIX_BYTES, Memory, Message, opening
from sidecar.serving.capture.core.watchlist import ENCODING, PATH, Watchlist
from sidecar.wire.reasons import DropReason

MODEL_INFER: Final = b"/inference.GRPCInferenceService/ModelInfer"
STATUS: Final = b"grpc-status"
_OK: Final = b"0"
# CANCELLED and DEADLINE_EXCEEDED: a server that notices first says what the client decided.
_GIVEN_UP: Final = frozenset({b"1", b"4"})
# A compressed message may need this much input before its first bytes come out.
_COMPRESSED_START_BYTES: Final = 512


class SampledCall:
    """A call that the sampler wanted; ends with exactly one `take` or `drop` of its intake."""

    __slots__ = (
        "_asked_s",
        "_intake",
        "_request",
        "_request_encoding",
        "_response",
        "_segment",
        "response_encoding",
    )

    def __init__(self, intake: Intake, request_encoding: bytes, segment: bytes, memory: Memory) -> None:
        limit_bytes = intake.sampling.max_item_bytes
        self._asked_s = 0.0
        self._intake = intake
        self._request = Message(limit_bytes, memory)
        self._request_encoding = request_encoding
        self._segment = segment
        self._response = Message(limit_bytes, memory)
        self.response_encoding = b""

    def hear_request(self, piece: memoryview | bytes) -> SampledCall | None:
        """Takes the next bytes of the request; None when the call was dropped over them."""
        # Until the last piece is there, the client has the time and not the model server.
        self._asked_s = self._intake.clock()
        return self._gather(self._request, piece)

    def hear_response(self, piece: memoryview | bytes) -> SampledCall | None:
        """Takes the next bytes of the answer; None when the call was dropped over them."""
        return self._gather(self._response, piece)

    def succeed(self, *, answered: bool) -> None:
        """The call ended well: the sample is handed over, with the answer where the capture sees answers."""
        request = self._request.content(self._request_encoding)
        response = self._response.content(self.response_encoding) if answered else b""
        if isinstance(request, DropReason):
            self.drop(request)
        elif isinstance(response, DropReason):
            self.drop(response)
        else:
            self._release()
            self._intake.take(
                scoring_pb2.Observation(
                    endpoint=self._intake.endpoint,
                    v2_request=request,
                    v2_response=response,
                    segment=self._segment,
                    asked_s=self._asked_s if answered else None,
                    latency_s=self._intake.clock() - self._asked_s if answered else None,
                )
            )

    def drop(self, reason: DropReason) -> None:
        """The call gives no sample."""
        self._release()
        self._intake.drop(reason)

    def _gather(self, message: Message, piece: memoryview | bytes) -> SampledCall | None:
        reason = message.add(piece)
        if reason is None:
            return self
        self.drop(reason)
        return None

    def _release(self) -> None:
        self._request.release()
        self._response.release()


class UnnamedCall:
    """A call whose model is not known yet; holds less than a kilobyte beyond the longest name."""

    __slots__ = ("_encoding", "_memory", "_metadata", "_start", "_watchlist")

    def __init__(self, fields: Mapping[bytes, bytes], watchlist: Watchlist, memory: Memory) -> None:
        """Begins with the header fields of the request that the watchlist reads."""
        self._encoding = fields.get(ENCODING, b"")
        self._metadata = {
            key: fields[key][:MAX_SEGMENT_BYTES] for key in watchlist.segment_keys if key in fields
        }
        self._watchlist = watchlist
        self._memory = memory
        self._start = b""

    def hear_request(self, piece: memoryview | bytes) -> UnnamedCall | SampledCall | None:
        """Takes the next bytes of the request; returns what the call is now, None for no interest."""
        longest = self._watchlist.longest_bytes
        limit = PREFIX_BYTES + max(longest, _COMPRESSED_START_BYTES)
        earlier, start = self._start, self._start + bytes(piece[: limit - len(self._start)])
        self._start = start
        if len(start) <= PREFIX_BYTES:
            return self
        first = opening(start, self._encoding, longest)
        if first is None:
            self._watchlist.unreadable_calls += 1
            return None
        intake, undecided = self._watchlist.find(first)
        if intake is None:
            if undecided and len(start) < limit:
                return self
            self._watchlist.unwatched_calls += 1
            return None
        if not intake.wants():
            return None
        segment = self._metadata.get(intake.segment_key.encode(), b"")
        call = SampledCall(intake, self._encoding, segment, self._memory)
        return call.hear_request(earlier) and call.hear_request(piece)

    def drop(self) -> None:
        """The call ended, and whose it was is not known."""
        self._watchlist.unreadable_calls += 1


# None stands for a call of no interest, or of none any more.
Call: TypeAlias = UnnamedCall | SampledCall | None


def begin(fields: Mapping[bytes, bytes], watchlist: Watchlist, memory: Memory) -> Call:
    """The call that a request's header fields open."""
    return UnnamedCall(fields, watchlist, memory) if fields.get(PATH) == MODEL_INFER else None


def finish(call: Call, status: bytes | None) -> None:
    """Ends a call with the `grpc-status` that the model server gave, None where it gave none."""
    if isinstance(call, SampledCall) and status == _OK:
        call.succeed(answered=True)
    else:
        drop(call, DropReason.CANCELLED if status in _GIVEN_UP else DropReason.FAILED_CALL)


def finish_unanswered(call: Call) -> None:
    """Ends a call of which the request alone is seen."""
    if isinstance(call, SampledCall):
        call.succeed(answered=False)
    else:
        drop(call, DropReason.UNDECODABLE)


def drop(call: Call, reason: DropReason) -> None:
    """Ends a call that gives no sample."""
    if isinstance(call, SampledCall):
        call.drop(reason)
    elif call is not None:
        call.drop()
