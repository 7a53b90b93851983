"""Reads along with one HTTP/1.1 connection: which V2 inference calls pass, and what is answered.

It is given bytes after they were forwarded; nothing here can change or delay them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import httptools

from sidecar.core.errors import InvalidError
from sidecar.serving.capture.core.intake import MAX_SEGMENT_BYTES
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import Watchlist
from sidecar.serving.capture.rest.rest_calls import RestCall, coding_of
from sidecar.wire.reasons import DropReason

_INFER: Final = re.compile(
    rb"(?:https?://[^/?#]*)?/v2/models/([^/?#]+)(?:/versions/[^/?#]+)?/infer(?:\?.*)?", re.DOTALL
)
_CODINGS: Final = frozenset({b"content-encoding", b"transfer-encoding"})
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
# Of common servers none takes a head of more than this.
_MAX_HEAD_BYTES: Final = 64 << 10
# Clients that send the next request before they have an answer do so with a few.
_MAX_OPEN_CALLS: Final = 1024


@dataclass(slots=True, eq=False)
class _Exchange:
    """A request and its answer.

    Attributes:
        is_head: the answer has no body, whatever its head says.
        is_asked: the request has ended.
        is_answered: the answer has ended.
        call: what becomes of it; None: nothing.
    """

    is_head: bool = False
    is_asked: bool = False
    is_answered: bool = False
    call: RestCall | None = None


_Exchanges = deque[_Exchange]


class RestObserver:
    """Follows the calls of one connection; memory is bounded by `memory` and by the calls it may have."""

    def __init__(self, watchlist: Watchlist, memory: Memory) -> None:
        # In the order of the requests, which is that of the answers.
        self._open: _Exchanges = deque()
        self._requests = _Requests(self._open, watchlist, memory)
        self._responses = _Responses(self._open)

    @property
    def open_calls(self) -> int:
        """Requests of any kind that have no whole answer."""
        return len(self._open)

    def hear_client(self, chunk: bytes) -> None:
        """Reads what the client sent; nothing at its end.

        Raises:
            InvalidError: the connection cannot be followed; the observer must not be used any more.
            httptools.HttpParserError: the bytes are not HTTP/1; the same.
            httptools.HttpParserUpgrade: another protocol may follow; the same.
        """
        self._requests.feed(chunk)

    def hear_server(self, chunk: bytes) -> None:
        """Reads what the model server sent; nothing at its end. Raises as `hear_client` does."""
        if not chunk:
            self._responses.end()
            self.close(DropReason.FAILED_CALL)
            return
        at = 0
        # The parser cannot be told that no body follows, and says only at the end of a piece where it is.
        while at < len(chunk) and self._open and self._open[0].is_head:
            end = chunk.find(b"\n", at) + 1 or len(chunk)
            self._responses.feed(chunk[at:end])
            at = end
        self._responses.feed(chunk[at:])

    def close(self, reason: DropReason) -> None:
        """Ends what is under way, with one reason; a second time does nothing."""
        while self._open:
            exchange = self._open.popleft()
            exchange.is_answered = True
            if exchange.call is not None:
                exchange.call.drop(reason)


class _Reader:
    """One direction; the parser calls what begins with `on_`."""

    parser: httptools.HttpRequestParser | httptools.HttpResponseParser

    def __init__(self, keep: Callable[[], frozenset[bytes]]) -> None:
        """Prepares; `keep` says which fields of a head are kept, by lower-case name."""
        self.fields: dict[bytes, bytes] = {}
        self._keep = keep
        self._kept: frozenset[bytes] = frozenset()
        self._unread_bytes = 0

    def feed(self, chunk: bytes) -> None:
        self._unread_bytes += len(chunk)
        self.parser.feed_data(chunk)
        if self._unread_bytes > _MAX_HEAD_BYTES:
            raise InvalidError(
                f"the head or the trailers have over {_MAX_HEAD_BYTES} bytes; the connection is relayed "
                "unobserved"
            )

    def on_message_begin(self) -> None:
        self.fields = {}
        self._kept = self._keep()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in self._kept:
            self.fields[name] = self.fields[name] + b"," + value if name in self.fields else value

    def on_headers_complete(self) -> None:
        self._unread_bytes = 0

    def on_body(self, piece: bytes) -> None:  # noqa: ARG002 - what becomes of it is the direction's
        self._unread_bytes = 0


class _Requests(_Reader):
    parser: httptools.HttpRequestParser

    def __init__(self, exchanges: _Exchanges, watchlist: Watchlist, memory: Memory) -> None:
        super().__init__(lambda: watchlist.segment_keys | _CODINGS)
        self.parser = httptools.HttpRequestParser(self)
        self._open = exchanges
        self._watchlist = watchlist
        self._memory = memory
        self._now = _Exchange()
        self._target = b""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if len(self._open) >= _MAX_OPEN_CALLS:
            raise InvalidError(
                f"more than {_MAX_OPEN_CALLS} calls are open; the connection is relayed unobserved"
            )
        self._now = _Exchange()
        self._target = b""
        self._open.append(self._now)

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        method, now = self.parser.get_method(), self._now
        now.is_head = method == b"HEAD"
        if now.is_head and len(self._open) > 1:
            raise InvalidError("a HEAD request follows open calls; the connection is relayed unobserved")
        named = _INFER.fullmatch(self._target) if method == b"POST" else None
        if named is not None and not now.is_answered:
            now.call = self._call(unquote(named[1]))

    def on_body(self, piece: bytes) -> None:
        super().on_body(piece)
        if self._now.call is not None:
            self._now.call.hear_request(piece)

    def on_message_complete(self) -> None:
        self._now.is_asked = True

    def _call(self, model: str) -> RestCall | None:
        intake = self._watchlist.named.get(model)
        if intake is None:
            self._watchlist.unwatched_calls += 1
            return None
        if not intake.wants():
            return None
        segment = self.fields.get(intake.segment_key.encode(), b"")[:MAX_SEGMENT_BYTES]
        return RestCall(intake, segment, coding_of(self.fields), self._memory)


class _Responses(_Reader):
    parser: httptools.HttpResponseParser

    def __init__(self, exchanges: _Exchanges) -> None:
        super().__init__(lambda: _CODINGS | _FRAMING)
        self.parser = httptools.HttpResponseParser(self)
        self._open = exchanges
        # Of the answer whose body is being read; 0 for none.
        self._status = 0

    def end(self) -> None:
        """The connection ends, and so does an answer of unsaid length."""
        if self._status and self.fields.keys().isdisjoint(_FRAMING):
            self._finish()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._open:
            raise InvalidError("an answer came without a request; the connection is relayed unobserved")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        status = self.parser.get_status_code()
        if status < HTTPStatus.OK:  # the answer proper follows
            return
        self._status = status
        now = self._open[0]
        if now.call is not None:
            now.call.answered_in(coding_of(self.fields))
        if now.is_head:
            self._finish()
            self.parser = httptools.HttpResponseParser(self)

    def on_body(self, piece: bytes) -> None:
        super().on_body(piece)
        call = self._open[0].call
        if call is not None and self._status == HTTPStatus.OK:
            call.hear_response(piece)

    def on_message_complete(self) -> None:
        if self._status:
            self._finish()

    def _finish(self) -> None:
        status, self._status = self._status, 0
        now = self._open.popleft()
        now.is_answered = True
        if now.call is None:
            return
        if status == HTTPStatus.OK and now.is_asked:
            now.call.succeed()
        else:
            now.call.drop(DropReason.FAILED_CALL)
