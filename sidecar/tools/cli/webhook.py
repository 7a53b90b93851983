"""`pilotfish webhook`: injects into pods as Kubernetes makes them, if their annotations ask for it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import Parameter

from sidecar.config.units import read_address
from sidecar.core.errors import InvalidError
from sidecar.serving.api.http import HttpServer
from sidecar.serving.serve import told_to_stop
from sidecar.telemetry.logs import configure_logs
from sidecar.tools.cli.inject import IMAGE
from sidecar.tools.cli.options import Flag
from sidecar.tools.injection.containers import ENVOY_IMAGE, Envoy, Injection
from sidecar.tools.injection.ports import PERHAPS_RELAYS
from sidecar.tools.webhook.certificate import Certificate
from sidecar.tools.webhook.routes import application

_RENEW_S = 10.0
# Each request may hold a body of 3 MiB.
_AT_ONCE = 32

log = structlog.get_logger("pilotfish")


def webhook(
    *,
    cert: Path,
    key: Path,
    namespace: Annotated[str, Parameter(env_var="POD_NAMESPACE")],
    listen: str = "0.0.0.0:9443",
    image: str = IMAGE,
    envoy_image: str = ENVOY_IMAGE,
    memory: str = "1Gi",
    classic: Flag = False,
) -> None:
    """Answers AdmissionReviews of Kubernetes on /mutate over TLS until SIGTERM or SIGINT.

    A pod asks for Pilotfish by annotations: pilotfish/inject: "true" and pilotfish/config: a ConfigMap; if
    needed, pilotfish/envoy: mirror or observer, and pilotfish/models-volume: VOLUME or VOLUME:PATH. A pod
    that Pilotfish cannot go into is allowed unchanged, with a warning.

    Args:
        cert: PEM file with the certificate. It is read again when it changes.
        key: PEM file with the certificate's private key.
        namespace: Namespace of the webhook. Nothing is injected there.
        listen: HOST:PORT where the webhook listens.
        image: Image of Pilotfish.
        envoy_image: Image of Envoy.
        memory: Memory limit of Pilotfish's container.
        classic: Add plain containers, for clusters before Kubernetes 1.29, instead of native sidecars.
    """
    if not namespace:
        raise InvalidError(
            "the webhook must know its own namespace: name it with --namespace or in POD_NAMESPACE"
        )
    configure_logs("info", "json")
    injection = Injection(image, PERHAPS_RELAYS, envoy=Envoy(envoy_image), classic=classic, memory=memory)
    certificate = Certificate(cert, key)
    server = HttpServer(
        application(injection, namespace),
        *read_address(listen, "--listen"),
        key="--listen",
        tls=certificate.context,
        at_once=_AT_ONCE,
    )
    asyncio.run(_serve(server, certificate))


async def _serve(server: HttpServer, certificate: Certificate) -> None:
    stop = told_to_stop()
    try:
        await server.start()
        log.info("serving", webhook=server.port)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _RENEW_S)
            try:
                if certificate.renew():
                    log.info("certificate renewed")
            except InvalidError as error:
                log.warning("certificate refused; the old one stays in force", why=str(error))
    finally:
        await server.close()
        log.info("stopped")
