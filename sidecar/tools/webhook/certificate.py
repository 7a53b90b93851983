"""A server's certificate that is renewed on disk while it is in use."""

from __future__ import annotations

import ssl
from pathlib import Path

from sidecar.config.watch import FileWatch
from sidecar.core.errors import InvalidError


class Certificate:
    """The files and the TLS context made of them.

    Attributes:
        context: takes new connections by the newest files that could be read.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        """Reads the files.

        Args:
            cert: PEM file with the certificate, and those that lead to its root.
            key: PEM file with its private key, not encrypted.

        Raises:
            InvalidError: they cannot be used.
        """
        self._cert = cert
        self._key = key
        self._watches = (FileWatch(cert), FileWatch(key))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load()

    def renew(self) -> bool:
        """Reads the files again if they changed; whether they did.

        Raises:
            InvalidError: they cannot be used; the old ones stay in use.
        """
        changed = [watch.changed() for watch in self._watches]
        if any(changed):
            self._load()
        return any(changed)

    def _load(self) -> None:
        # A pair that does not fit would leave the context with half of it.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
            try:
                context.load_cert_chain(self._cert, self._key, password="")
            except (OSError, ValueError) as error:
                raise InvalidError(
                    f"{self._cert}, {self._key}: no certificate with its key, as PEM: {error}"
                ) from error
