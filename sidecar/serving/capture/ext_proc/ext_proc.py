"""The observer: Envoy's external processing filter, in observability mode, tells of calls and their answers.

Every HTTP call is a stream of its own, on which headers, pieces of bodies and trailers of both directions
come as messages; a piece of a body is a piece of gRPC's bytes. Nothing is sent back but the stream's end,
after which Envoy sends no more of that call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError
from pilotfish.internal.v1 import ext_proc_pb2

from sidecar.serving.capture.core import calls
from sidecar.serving.capture.core.health import HEALTH_CHECK, YES
from sidecar.serving.capture.core.http2_server import ENOUGH, UNIMPLEMENTED, Reply, StandingReply, Stream
from sidecar.serving.capture.core.messages import Memory, MessageCutter
from sidecar.serving.capture.core.watchlist import ENCODING, PATH, Watchlist
from sidecar.wire.reasons import DropReason

PROCESS: Final = b"/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_ANSWER_FIELDS: Final = frozenset({ENCODING, calls.STATUS})


def begin(fields: Mapping[bytes, bytes], watchlist: Watchlist, memory: Memory) -> Stream:
    """What reads a call: one of the filter, or a health check."""
    path = fields.get(PATH)
    if path == PROCESS:
        return _Observed(watchlist, memory)
    return StandingReply(YES if path == HEALTH_CHECK else UNIMPLEMENTED)


class _Observed:
    """One HTTP call, as its stream tells of it."""

    __slots__ = ("_call", "_cutter", "_memory", "_watchlist")

    def __init__(self, watchlist: Watchlist, memory: Memory) -> None:
        self._watchlist = watchlist
        self._memory = memory
        self._cutter = MessageCutter(memory)
        self._call: calls.Call = None

    def hear(self, piece: memoryview) -> Reply | None:
        messages = self._cutter.cut(piece)
        if isinstance(messages, DropReason):
            self.drop(messages)
            return ENOUGH
        for message in messages:
            try:
                self._read(ext_proc_pb2.ProcessingRequest.FromString(message))
            except DecodeError:
                self.drop(DropReason.UNDECODABLE)
                return ENOUGH
            if self._call is None:
                self._cutter.release()
                return ENOUGH
        return None

    def end(self) -> Reply:
        self.drop(DropReason.CANCELLED)
        return ENOUGH

    def drop(self, reason: DropReason) -> None:
        self._cutter.release()
        if self._call is None:
            self._watchlist.unreadable_calls += 1
        calls.drop(self._call, reason)

    def _read(self, told: ext_proc_pb2.ProcessingRequest) -> None:
        """Takes what the filter tells; afterwards there is no call when no more is wanted."""
        kind, call = told.WhichOneof("request"), self._call
        if kind == "request_headers":
            self._begin(told)
        elif call is None:
            self._watchlist.unreadable_calls += 1
        elif kind == "request_body":
            self._call = call.hear_request(told.request_body.body)
        elif kind == "response_headers":
            self._answered(call, told.response_headers)
        elif kind == "response_body":
            self._gather(call, told.response_body)
        elif kind == "response_trailers":
            self._finish(_read_fields(told.response_trailers.trailers, _ANSWER_FIELDS))

    def _answered(self, call: calls.Call, headers: ext_proc_pb2.HttpHeaders) -> None:
        fields = _read_fields(headers.headers, _ANSWER_FIELDS)
        if headers.end_of_stream:
            self._finish(fields)
        elif isinstance(call, calls.SampledCall):
            call.response_encoding = fields.get(ENCODING, b"")

    def _gather(self, call: calls.Call, piece: ext_proc_pb2.HttpBody) -> None:
        if isinstance(call, calls.SampledCall):
            self._call = call.hear_response(piece.body)
        if piece.end_of_stream:
            self._finish({})  # without trailers there is no status

    def _begin(self, told: ext_proc_pb2.ProcessingRequest) -> None:
        if not told.observability_mode:
            # The user's call waits: to end the stream lets it go on at once.
            self._watchlist.waiting_calls += 1
        elif self._call is None and not told.request_headers.end_of_stream:
            fields = _read_fields(told.request_headers.headers, self._watchlist.fields)
            self._call = calls.begin(fields, self._watchlist, self._memory)

    def _finish(self, fields: Mapping[bytes, bytes]) -> None:
        call, self._call = self._call, None
        calls.finish(call, fields.get(calls.STATUS))


def _read_fields(headers: ext_proc_pb2.HeaderMap, names: frozenset[bytes]) -> dict[bytes, bytes]:
    return {one.key: one.raw_value or one.value for one in headers.headers if one.key in names}
