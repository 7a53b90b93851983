"""The webhook's HTTP side: `/mutate` takes AdmissionReviews of Kubernetes, `/healthz` tells that it lives.

Whatever fails, the pod is allowed as it is: what has no Pilotfish still serves.
"""

from __future__ import annotations

from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.admission import Verdict, answer, decide, read_request
from sidecar.tools.injection.containers import Injection

# What Kubernetes itself takes as a request.
MAX_BYTES: Final = 3 << 20

log = structlog.get_logger("pilotfish")


def application(injection: Injection, own_namespace: str) -> Starlette:
    """The routes.

    Args:
        injection: what every pod gets that asks for it; its annotations say the rest.
        own_namespace: namespace of the webhook, where nothing is injected.
    """

    async def mutate(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"the body has more than {MAX_BYTES} bytes\n", 413)
        try:
            asked = read_request(body)
        except InvalidError as error:
            return PlainTextResponse(f"{error}\n", 400)
        try:
            verdict = decide(asked, injection, own_namespace)
        except Exception:
            log.exception("injection failed", namespace=asked.namespace, pod=asked.name)
            verdict = Verdict(why="it failed, see the log of the webhook", warn=True)
        log.info(
            "pod admitted",
            namespace=asked.namespace,
            pod=asked.name,
            injected=bool(verdict.patch),
            why=verdict.why,
        )
        return JSONResponse(answer(asked.uid, verdict))

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/mutate", mutate, methods=["POST"]), Route("/healthz", healthz)])


async def _body(request: Request) -> bytes | None:
    """A body as far as it may be; None where it is longer, of which no more is kept."""
    body = bytearray()
    async for piece in request.stream():
        if len(body) + len(piece) > MAX_BYTES:
            return None
        body += piece
    return bytes(body)
