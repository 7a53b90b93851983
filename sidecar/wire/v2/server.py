"""The way to a V2 server: its channel, deadlines, rate, and what is tried again. Knows no model."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc
from tritonclient.grpc import service_pb2_grpc

from sidecar.core.errors import InvalidError, PilotfishError, UnavailableError

V2Message: TypeAlias = Any  # tritonclient's messages have no types

# A server that restarts is back within seconds; what takes longer is the breaker's to wait for.
_PAUSES_S: Final = (0.05, 0.2)
# Of an answer: far above a batch's class probabilities, and a bound on what a server can make us hold.
LARGEST_BYTES: Final = 64 << 20
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", LARGEST_BYTES),
    ("grpc.max_send_message_length", -1),
    # gRPC's own retries would not count in the rate; its pauses between connections grow to two minutes.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A server whose host went without a sign is noticed, while calls are open.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # No other host than the configured one is asked, and a model's connection closes with the model.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_TRANSIENT: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; without `ca` the system's roots are trusted, without `cert` and `key` nothing is shown."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits and the identity of calls to a server.

    Attributes:
        deadline_s: for a call, with what is tried again.
        per_second: calls begun, at most.
        tls: None: plain text.
        metadata: sent with every call.
    """

    deadline_s: float
    per_second: float
    tls: Tls | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class V2Server:
    """Calls a server; safe for threads, and nothing is opened before the first call.

    Args:
        address: HOST:PORT of its gRPC port.
        terms: how it is asked.

    Raises:
        InvalidError: a TLS file cannot be read.
    """

    def __init__(self, address: str, terms: Terms) -> None:
        self.address = address
        self._terms = terms
        self._channel = _channel(address, terms.tls)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._closed = threading.Event()

    def close(self) -> None:
        """Ends the calls under way; a second time does nothing."""
        self._closed.set()
        self._channel.close()

    def call(self, method: str, request: V2Message) -> V2Message:
        """Calls a method of the inference service, again where the server was not reached.

        Raises:
            UnavailableError: the server was not reached, or did not answer within the deadline.
            InvalidError: it refused the call.
        """
        try:
            return self._call(method, request)
        except grpc.RpcError as error:
            raise self._told(error) from error

    def call_once(self, method: str, request: V2Message, deadline_s: float) -> V2Message:
        """As `call`, but at once, whatever the rate, and not a second time."""
        try:
            return getattr(self._stub, method)(request, timeout=deadline_s, metadata=self._terms.metadata)
        except grpc.RpcError as error:
            raise self._told(error) from error

    def known(self, method: str, request: V2Message) -> V2Message | None:
        """As `call`; None where the server does not have the method."""
        try:
            return self._call(method, request)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise self._told(error) from error

    def _call(self, method: str, request: V2Message) -> V2Message:
        self._keep_to_the_rate()
        call = getattr(self._stub, method)
        ends = time.monotonic() + self._terms.deadline_s
        for pause_s in (*_PAUSES_S, None):
            left_s = ends - time.monotonic()
            try:
                return call(request, timeout=left_s, metadata=self._terms.metadata)
            except grpc.RpcError as error:
                again = error.code() is grpc.StatusCode.UNAVAILABLE
                if not again or pause_s is None or left_s <= pause_s or self._closed.wait(pause_s):
                    raise
            except ValueError as error:  # how grpc says that the channel is closed
                raise UnavailableError(f"{self.address}: {error}") from error
        raise AssertionError("the last try must return or raise")

    def _keep_to_the_rate(self) -> None:
        with self._lock:
            now = time.monotonic()
            begin_at = max(self._free_at, now)
            self._free_at = begin_at + 1 / self._terms.per_second
        self._closed.wait(begin_at - now)

    def _told(self, error: grpc.RpcError) -> PilotfishError:
        code = error.code()
        message = f"{self.address}: {code.name}: {error.details()}"
        if code in _TRANSIENT:
            return UnavailableError(f"{message}; see that the server runs, is reachable and keeps up")
        return InvalidError(message)


def _channel(address: str, tls: Tls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(_read(tls.ca), _read(tls.key), _read(tls.cert))
    return grpc.secure_channel(address, credentials, options=_OPTIONS)


def _read(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise InvalidError(f"{path}: the file cannot be read ({error.strerror}): check the path") from error
