"""Notices that the configuration file changed, also behind the symbolic links of a ConfigMap."""

from __future__ import annotations

import hashlib
from pathlib import Path


class FileWatch:
    """Compares contents, not times: a mounted ConfigMap swaps links and keeps odd times."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._digest()

    def changed(self) -> bool:
        """Whether the contents differ from the last call's."""
        digest = self._digest()
        changed = digest != self._seen
        self._seen = digest
        return changed

    def _digest(self) -> bytes:
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError as error:
            return str(error.errno).encode()
