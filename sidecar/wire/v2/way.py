"""The way to a model server, by the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sidecar.wire.v2.server import V2Server


class TlsSettings(Protocol):
    """PEM files for a connection; what is None is the system's."""

    @property
    def ca(self) -> Path | None:
        """Roots to trust."""
        ...

    @property
    def cert(self) -> Path | None:
        """The client's own certificate."""
        ...

    @property
    def key(self) -> Path | None:
        """The key of `cert`."""
        ...


class ServerSettings(Protocol):
    """How a server is reached; a section of the configuration is one."""

    @property
    def url(self) -> str:
        """HOST:PORT of the server's gRPC port."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds after which a request has failed."""
        ...

    @property
    def per_second(self) -> float:
        """Requests begun in a second, at most."""
        ...

    @property
    def tls(self) -> TlsSettings | None:
        """Returns the TLS files; None if the connection has no TLS."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Sent with every request, by lower-case key."""
        ...


def way_to(settings: ServerSettings) -> V2Server:
    """The way to a server, which is not asked yet.

    Raises:
        InvalidError: a TLS file cannot be read.
    """
    # gRPC and the V2 messages are for those who have something behind servers.
    from sidecar.wire.v2.server import Terms, Tls, V2Server  # noqa: PLC0415

    tls = settings.tls
    terms = Terms(
        deadline_s=settings.deadline,
        per_second=settings.per_second,
        tls=None if tls is None else Tls(tls.ca, tls.cert, tls.key),
        metadata=tuple(settings.metadata.items()),
    )
    return V2Server(settings.url, terms)
