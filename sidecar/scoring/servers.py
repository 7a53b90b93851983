"""The way to a model server, by the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.config.schema import V2, Discover

if TYPE_CHECKING:
    from sidecar.shadow.v2_server import V2Server


def way_to(settings: V2 | Discover) -> V2Server:
    """The way to a server, which is not asked yet.

    Raises:
        InvalidError: a TLS file cannot be read.
    """
    # gRPC and the V2 messages are for those who have something behind servers.
    from sidecar.shadow.v2_server import Terms, Tls, V2Server  # noqa: PLC0415

    tls = settings.tls
    terms = Terms(
        deadline_s=settings.deadline,
        per_second=settings.per_second,
        tls=None if tls is None else Tls(tls.ca, tls.cert, tls.key),
        metadata=tuple(settings.metadata.items()),
    )
    return V2Server(settings.url, terms)
