"""The HTTP port: /metrics, /healthz, /readyz."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client import CollectorRegistry, exposition
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sidecar.domain.errors import UnavailableError

_BACKLOG = 128


def application(registry: CollectorRegistry, ready: Callable[[], str]) -> Starlette:
    """The routes; `ready` says what is still missing, or nothing when all is there."""

    async def metrics(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = ready()
        return PlainTextResponse(f"{missing or 'ok'}\n", status_code=503 if missing else 200)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    )


class HttpServer:
    """Serves the application until it is closed."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self._app = app
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
                f"serve.http: cannot listen on {self._host}:{self._port}: {error}; "
                "end what listens there, or change it"
            ) from error
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name="http")

    async def close(self) -> None:
        """Stops serving; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None and self._task is not None:
            server.should_exit = True
            await self._task


class _Server(uvicorn.Server):
    """Leaves signals to the program: `sidecar.cli.serve` ends everything in its order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield
