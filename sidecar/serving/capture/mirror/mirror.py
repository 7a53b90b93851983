"""The target of a mirror: takes copies of V2 calls, answers them at once with nothing, and keeps the sampled.

What sends the copies (Envoy's `request_mirror_policies`, Istio's `mirror`) throws the answers away, so the
model server's own answers are not seen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sidecar.serving.capture.core import calls
from sidecar.serving.capture.core.health import HEALTH_CHECK, YES
from sidecar.serving.capture.core.http2_server import UNIMPLEMENTED, Reply, StandingReply, Stream
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import PATH, Watchlist
from sidecar.wire.reasons import DropReason

_EMPTY: Final = Reply(b"")
_REPLIES: Final = {
    HEALTH_CHECK: YES,
    b"/inference.GRPCInferenceService/ServerLive": YES,
    b"/inference.GRPCInferenceService/ServerReady": YES,
    b"/inference.GRPCInferenceService/ModelReady": YES,
}


def begin(fields: Mapping[bytes, bytes], watchlist: Watchlist, memory: Memory) -> Stream:
    """What reads a call: an inference is answered with an empty message, a health check with yes."""
    path = fields.get(PATH, b"")
    if path != calls.MODEL_INFER:
        return StandingReply(_REPLIES.get(path, UNIMPLEMENTED))
    return _Mirrored(calls.begin(fields, watchlist, memory))


class _Mirrored:
    __slots__ = ("_call",)

    def __init__(self, call: calls.Call) -> None:
        self._call = call

    def hear(self, piece: memoryview) -> Reply | None:
        if self._call is not None:
            self._call = self._call.hear_request(piece)
        return None

    def end(self) -> Reply:
        calls.finish_unanswered(self._call)
        return _EMPTY

    def drop(self, reason: DropReason) -> None:
        calls.drop(self._call, reason)
