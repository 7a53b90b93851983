"""Maps errors to gRPC status codes; no other module does."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc

from sidecar.core.errors import InvalidError, NotFoundError, PilotfishError, UnavailableError

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]

_CODES: tuple[tuple[type[PilotfishError], grpc.StatusCode], ...] = (
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (InvalidError, grpc.StatusCode.INVALID_ARGUMENT),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
)


def status_of(error: PilotfishError) -> grpc.StatusCode:
    """Returns the status code that tells a caller whether to change the call or to try again."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def answers(
    method: Callable[[Request, Context], Awaitable[Response]],
) -> Callable[[Request, Context], Awaitable[Response]]:
    """Ends a unary call with the status of the error that its method raises."""

    @functools.wraps(method)
    async def guarded(request: Request, context: Context) -> Response:
        try:
            return await method(request, context)
        except PilotfishError as error:
            await context.abort(status_of(error), str(error))
            raise

    return guarded


def streams(
    method: Callable[[Request, Context], AsyncIterator[Response]],
) -> Callable[[Request, Context], AsyncIterator[Response]]:
    """Ends a streaming call with the status of the error that its method raises."""

    @functools.wraps(method)
    async def guarded(request: Request, context: Context) -> AsyncIterator[Response]:
        try:
            async for response in method(request, context):
                yield response
        except PilotfishError as error:
            await context.abort(status_of(error), str(error))

    return guarded
