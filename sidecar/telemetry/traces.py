"""Spans of Pilotfish's own gRPC calls and of the ranking rounds, sent to an OTLP collector. Never payloads.

Needs the extra `otel`, so this module is imported only where the configuration asks for traces. What cannot
be sent in time is dropped: neither callers nor rounds wait for a collector.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import metadata
from typing import Any, Final, TypeAlias

import grpc
import structlog
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pilotfish.internal.v1 import scoring_pb2
from pilotfish.v1 import ranking_pb2

_OWN: Final = "pilotfish."
_SEND_S: Final = 2
_CONTEXT: Final = TraceContextTextMapPropagator()
# Of a server's span: what the caller did wrong is no error of the server.
_SERVER_ERRORS: Final = frozenset(
    code.value[0]
    for code in (
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    )
)

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Begin: TypeAlias = Callable[[], Span]

log = structlog.get_logger("pilotfish.traces")


class Traces:
    """Makes the spans and sends them; `close` sends what is left."""

    def __init__(self, exporter: SpanExporter, ratio: float) -> None:
        """Starts the thread that sends.

        Args:
            exporter: where spans go.
            ratio: share of the calls and rounds that are traced; a caller's own decision comes first.
        """
        resource = {"service.name": "pilotfish", "service.version": metadata.version("pilotfish")}
        self._provider = TracerProvider(
            resource=Resource.create(resource),
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("pilotfish")
        self.interceptor = _Calls(self._tracer)

    def round(self, report: scoring_pb2.Report) -> None:
        """Makes the span of a round from what the scoring process says of it; a sign of life has none."""
        ranking = report.ranking
        if not ranking.round:
            return
        made_ns = ranking.made_at.ToNanoseconds()
        span = self._tracer.start_span(
            "ranking round",
            start_time=made_ns - round(report.counters.round_s * 1e9),
            attributes={
                "pilotfish.endpoint": report.endpoint,
                "pilotfish.round": ranking.round,
                "pilotfish.items": ranking.items,
                "pilotfish.candidates": len(ranking.candidates),
                "pilotfish.state": ranking_pb2.State.Name(ranking.state).removeprefix("STATE_"),
                "pilotfish.recommended": ranking.recommendation.candidate,
            },
        )
        span.end(made_ns)

    def close(self) -> None:
        """Sends what is left, for a moment at most; again does nothing."""
        self._provider.shutdown()


def otlp_traces(address: str, *, tls: bool, ratio: float) -> Traces:
    """Traces to the collector at HOST:PORT, which need not be there yet."""
    logger = logging.getLogger("opentelemetry")
    if not logger.handlers:
        logger.addHandler(_Structured())
        logger.propagate = False
    scheme = "https" if tls else "http"
    exporter = OTLPSpanExporter(endpoint=f"{scheme}://{address}", insecure=not tls, timeout=_SEND_S)
    return Traces(exporter, ratio)


class _Structured(logging.Handler):
    """What the library logs, in the form of all other lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log.log(record.levelno, "traces", why=record.getMessage())


class _Calls(grpc.aio.ServerInterceptor):
    """A span for every call of Pilotfish's own services; health and reflection have none.

    References:
        OpenTelemetry, Semantic conventions for gRPC.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wraps the call's handler."""
        handler = await continuation(handler_call_details)
        name = handler_call_details.method.removeprefix("/")
        service, _, method = name.partition("/")
        if handler is None or not service.startswith(_OWN):
            return handler
        carrier = {
            key: value for key, value in handler_call_details.invocation_metadata if isinstance(value, str)
        }
        parent = _CONTEXT.extract(carrier)
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}

        def begin() -> Span:
            return self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)

        coding = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_answer(handler.unary_unary, begin), *coding)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(_answer(handler.stream_unary, begin), *coding)
        return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream, begin), *coding)


def _answer(behaviour: Any, begin: _Begin) -> Any:  # noqa: ANN401 - of any message
    async def traced(request: object, context: _Context) -> object:
        span, code = begin(), None
        try:
            return await behaviour(request, context)
        except BaseException as error:
            code = _code(error, context)
            raise
        finally:
            _end(span, code)

    return traced


def _stream(behaviour: Any, begin: _Begin) -> Any:  # noqa: ANN401 - of any message
    async def traced(request: object, context: _Context) -> AsyncIterator[object]:
        span, code = begin(), None
        try:
            async for response in behaviour(request, context):
                yield response
        except BaseException as error:
            code = _code(error, context)
            raise
        finally:
            _end(span, code)

    return traced


def _code(error: BaseException, context: _Context) -> int:
    """The status that a call ends with by an error."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED.value[0]
    if isinstance(error, grpc.aio.AbortError):
        return context.code().value[0]
    return grpc.StatusCode.UNKNOWN.value[0]


def _end(span: Span, code: int | None) -> None:
    span.set_attribute("rpc.grpc.status_code", code or 0)
    if code in _SERVER_ERRORS:
        span.set_status(StatusCode.ERROR)
    span.end()
