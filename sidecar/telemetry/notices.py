"""What a proxy's counts mean, said in the log: once when it begins, at most every minute."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sidecar.capture.proxy import ProxyCounts

_AGAIN_S = 60.0

_MEANINGS = {
    "upstream_failures": "the upstream takes no connections; clients see UNAVAILABLE",
    "unwatched_calls": "requests for models that no endpoint watches here; see `proxy.model`",
    "unreadable_connections": "connections that cannot be read along (TLS, HTTP/1 or malformed): not sampled",
}

log = structlog.get_logger("pilotfish.proxy")


class ProxyNotices:
    """Compares each proxy's counts with those of the last look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], int] = {}
        self._said_at: dict[tuple[str, str], float] = {}

    def look(self, listen: str, counts: ProxyCounts) -> None:
        """Says what grew since the last look."""
        now = self._clock()
        for name, meaning in _MEANINGS.items():
            count = getattr(counts, name)
            key = (listen, name)
            grew = count > self._seen.get(key, 0)
            self._seen[key] = count
            if grew and now - self._said_at.get(key, -_AGAIN_S) >= _AGAIN_S:
                self._said_at[key] = now
                log.warning(meaning, listen=listen, count=count)
