"""Notices a change of the configuration file, also behind the symbolic links of a ConfigMap."""

from __future__ import annotations

import hashlib
from pathlib import Path


class FileWatch:
    """Compares contents and not times, because a mounted ConfigMap swaps links and keeps old times."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._digest()

    def changed(self) -> bool:
        """Tells whether the contents changed since the last call."""
        digest = self._digest()
        changed = digest != self._seen
        self._seen = digest
        return changed

    def _digest(self) -> bytes:
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError as error:
            return str(error.errno).encode()
