"""The HTTP port: /metrics, /healthz, /readyz, and the paths that events are posted to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from prometheus_client import CollectorRegistry, exposition
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sidecar.config.schema import CAPTURES, Listens
from sidecar.core.errors import UnavailableError
from sidecar.serving.capture.core.listener import EventListener

_BACKLOG = 128
_AT_PATHS = " or ".join(f"`{name}`" for name, one in CAPTURES.items() if one.listens is Listens.PATH)


def application(
    registry: CollectorRegistry,
    ready: Callable[[], str],
    find_listener: Callable[[str], EventListener | None],
) -> Starlette:
    """The routes.

    Args:
        registry: of the metrics.
        ready: says what is still missing, or nothing when all is there.
        find_listener: finds the capture that takes the events of a path.
    """

    async def metrics(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = ready()
        return PlainTextResponse(f"{missing or 'ok'}\n", status_code=503 if missing else 200)

    async def events(request: Request) -> Response:
        listener = find_listener(request.url.path)
        if listener is None:
            return PlainTextResponse(f"no {_AT_PATHS} capture has the path {request.url.path}\n", 404)
        return Response(status_code=await listener.take(request.headers, _pieces(request)))

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/{path:path}", events, methods=["POST"]),
        ]
    )


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """A body as it comes; ConnectionError when the sender is gone."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise ConnectionError("the sender closed its connection before its body was complete") from error


class HttpServer:
    """Serves the application until it is closed."""

    def __init__(
        self,
        app: Starlette,
        host: str,
        port: int,
        *,
        key: str = "serve.http",
        tls: ssl.SSLContext | None = None,
        at_once: int | None = None,
    ) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            app: the routes.
            host: to listen on.
            port: to listen on, 0 for a free one.
            key: what the address is called where it is set, for the message.
            tls: speaks TLS by it; None: plain text.
            at_once: open connections, at most; those beyond are answered 503. None: as many as come.
        """
        self._app = app
        self._key = key
        self._tls = tls
        self._at_once = at_once
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = port

    async def start(self) -> None:
        """Binds the port, 0 for a free one, and serves.

        Raises:
            UnavailableError: the port cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listener = socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise UnavailableError(
                f"{self._key}: cannot listen on {self._host}:{self._port}: {error}; "
                "stop what listens there, or change the address"
            ) from error
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            # Takes twice the events that uvicorn's parser in Python does.
            http="httptools",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            limit_concurrency=self._at_once,
        )
        config.load()
        config.ssl = self._tls
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name="http")

    async def close(self) -> None:
        """Stops serving; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None and self._task is not None:
            server.should_exit = True
            await self._task


class _Server(uvicorn.Server):
    """Leaves signals to the program: `sidecar.serving.serve` ends everything in its order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield
