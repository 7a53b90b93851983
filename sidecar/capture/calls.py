"""One V2 ModelInfer call as the relay sees it: first unnamed, then, if the sampler wants it, a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pilotfish.internal.v1 import scoring_pb2

from sidecar.capture.intake import DropReason, Intake
from sidecar.capture.messages import PREFIX_BYTES, Memory, Message, opening
from sidecar.capture.watchlist import Watchlist

# A compressed message may need this much input before its first bytes come out.
_COMPRESSED_START_BYTES: Final = 512


class SampledCall:
    """A call that the sampler wanted; ends with exactly one `take` or `drop` of its intake."""

    __slots__ = ("_intake", "_request", "_request_encoding", "_response", "_segment", "response_encoding")

    def __init__(self, intake: Intake, request_encoding: bytes, segment: bytes, memory: Memory) -> None:
        limit_bytes = intake.sampling.max_item_bytes
        self._intake = intake
        self._request = Message(limit_bytes, memory)
        self._request_encoding = request_encoding
        self._segment = segment
        self._response = Message(limit_bytes, memory)
        self.response_encoding = b""

    def hear_request(self, piece: memoryview | bytes) -> bool:
        """Takes the next bytes of the request; False when the call was dropped over them."""
        return self._gather(self._request, piece)

    def hear_response(self, piece: memoryview) -> bool:
        """Takes the next bytes of the answer; False when the call was dropped over them."""
        return self._gather(self._response, piece)

    def succeed(self) -> None:
        """The model server answered: the sample is handed over."""
        request = self._request.content(self._request_encoding)
        response = self._response.content(self.response_encoding)
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
                )
            )

    def drop(self, reason: DropReason) -> None:
        """The call gives no sample."""
        self._release()
        self._intake.drop(reason)

    def _gather(self, message: Message, piece: memoryview | bytes) -> bool:
        reason = message.add(piece)
        if reason is not None:
            self.drop(reason)
        return reason is None

    def _release(self) -> None:
        self._request.release()
        self._response.release()


class UnnamedCall:
    """A call whose model is not known yet; holds less than a kilobyte beyond the longest name."""

    __slots__ = ("_encoding", "_memory", "_metadata", "_start", "_watchlist")

    def __init__(
        self, encoding: bytes, metadata: Mapping[bytes, bytes], watchlist: Watchlist, memory: Memory
    ) -> None:
        self._encoding = encoding
        self._metadata = metadata
        self._watchlist = watchlist
        self._memory = memory
        self._start = b""

    def hear_request(self, piece: memoryview) -> UnnamedCall | SampledCall | None:
        """Takes the next bytes of the request; returns what the call is now, None for no interest."""
        longest = self._watchlist.longest_bytes
        limit = PREFIX_BYTES + max(longest, _COMPRESSED_START_BYTES)
        earlier, start = self._start, self._start + bytes(piece[: limit - len(self._start)])
        self._start = start
        if len(start) <= PREFIX_BYTES:
            return self
        first = opening(start, self._encoding, longest)
        intake, undecided = (None, False) if first is None else self._watchlist.find(first)
        if intake is None:
            if undecided and len(start) < limit:
                return self
            self._watchlist.unwatched_calls += 1
            return None
        if not intake.wants():
            return None
        segment = self._metadata.get(intake.segment_key.encode(), b"")
        call = SampledCall(intake, self._encoding, segment, self._memory)
        return call if call.hear_request(earlier) and call.hear_request(piece) else None
