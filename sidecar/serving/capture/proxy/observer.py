"""Reads along with one HTTP/2 connection: which calls are open, and which of them are to be samples.

It is given bytes after they were forwarded; nothing here can change or delay them.
"""

from __future__ import annotations

from typing import Final

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.calls import STATUS, Call, SampledCall, begin, drop, finish
from sidecar.serving.capture.core.http2 import PREFACE, Http2Reader
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import ENCODING, Watchlist
from sidecar.wire.reasons import DropReason

_ANSWER_FIELDS: Final = frozenset({ENCODING, STATUS})
_MAX_OPEN_CALLS: Final = 16384

_OpenCalls = dict[int, Call]


class ConnectionObserver:
    """Follows the calls of one connection; memory is bounded by `memory` and by the calls it may have."""

    def __init__(self, watchlist: Watchlist, memory: Memory) -> None:
        self._open: _OpenCalls = {}
        requests, responses = _Requests(self._open, watchlist, memory), _Responses(self._open)
        self._from_client = Http2Reader(requests, preface=PREFACE, keep=lambda: watchlist.fields)
        self._from_server = Http2Reader(responses, preface=b"", keep=lambda: _ANSWER_FIELDS)

    @property
    def open_calls(self) -> int:
        """Calls of any method that have not ended."""
        return len(self._open)

    def hear_client(self, chunk: bytes) -> None:
        """Reads what the client sent.

        Raises:
            InvalidError: the bytes cannot be read; the observer must not be used any more.
            hpack.HPACKError: the same.
        """
        self._from_client.feed(chunk)

    def hear_server(self, chunk: bytes) -> None:
        """Reads what the model server sent.

        Raises:
            InvalidError: the bytes cannot be read; the observer must not be used any more.
            hpack.HPACKError: the same.
        """
        self._from_server.feed(chunk)

    def close(self, reason: DropReason) -> None:
        """Ends what is under way, with one reason; a second time does nothing."""
        while self._open:
            drop(self._open.popitem()[1], reason)


class _Requests:
    def __init__(self, calls: _OpenCalls, watchlist: Watchlist, memory: Memory) -> None:
        self._open = calls
        self._watchlist = watchlist
        self._memory = memory

    def on_headers(self, stream: int, fields: dict[bytes, bytes], *, ended: bool) -> None:
        if ended or stream in self._open:
            return  # no message follows, or these are trailers
        if len(self._open) >= _MAX_OPEN_CALLS:
            raise InvalidError(
                f"more than {_MAX_OPEN_CALLS} calls are open; the connection is relayed unobserved"
            )
        self._open[stream] = begin(fields, self._watchlist, self._memory)

    def on_data(self, stream: int, piece: memoryview, *, ended: bool) -> None:  # noqa: ARG002 - only answers end
        call = self._open.get(stream)
        if call is not None:
            self._open[stream] = call.hear_request(piece)

    def on_reset(self, stream: int) -> None:
        drop(self._open.pop(stream, None), DropReason.CANCELLED)


class _Responses:
    def __init__(self, calls: _OpenCalls) -> None:
        self._open = calls

    def on_headers(self, stream: int, fields: dict[bytes, bytes], *, ended: bool) -> None:
        if not ended:
            call = self._open.get(stream)
            if isinstance(call, SampledCall):
                call.response_encoding = fields.get(ENCODING, b"")
            return
        finish(self._open.pop(stream, None), fields.get(STATUS))

    def on_data(self, stream: int, piece: memoryview, *, ended: bool) -> None:
        call = self._open.get(stream)
        if isinstance(call, SampledCall):
            self._open[stream] = call.hear_response(piece)
        if ended:
            self.on_reset(stream)  # without trailers there is no status

    def on_reset(self, stream: int) -> None:
        drop(self._open.pop(stream, None), DropReason.FAILED_CALL)
