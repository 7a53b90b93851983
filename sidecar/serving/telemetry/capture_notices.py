"""Logs what growing counts of a capture mean: at once, and then at most every minute."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey

_AGAIN_S = 60.0

_MEANINGS = {
    "upstream_failures": "the upstream takes no connections; clients see UNAVAILABLE",
    "unwatched_calls": "requests for models that no endpoint watches here; see the capture's `model`",
    "unreadable_calls": "requests whose model cannot be told (malformed, odd coding, too many): not sampled",
    "waiting_calls": "Envoy waits for answers of this observer: set `observability_mode: true`; not sampled",
    "lost_calls": "Envoy could not send copies of calls; raise `circuit_breakers` of its cluster `pilotfish`",
    "unreadable_connections": "connections that cannot be read (TLS, another HTTP or malformed): not sampled",
}

log = structlog.get_logger("pilotfish.capture")


class CaptureNotices:
    """Compares each capture's counts with those of the last look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[CaptureKey, str], int] = {}
        self._said_at: dict[tuple[CaptureKey, str], float] = {}

    def look(self, capture: CaptureKey, counts: CaptureCounts) -> None:
        """Logs the counts that grew since the last call."""
        now = self._clock()
        for name, meaning in _MEANINGS.items():
            count = getattr(counts, name) or 0
            key = (capture, name)
            grew = count > self._seen.get(key, 0)
            self._seen[key] = count
            if grew and now - self._said_at.get(key, -_AGAIN_S) >= _AGAIN_S:
                self._said_at[key] = now
                log.warning(meaning, capture=capture.way, listen=capture.listen, count=count)
