"""Asks an Envoy's admin page how many copies of calls it could not send: what no capture can see itself."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from sidecar.serving.capture.core.accepting import host_and_port

# What `pilotfish envoy` calls the cluster that copies are sent to. The captures answer 200 alone: a 5xx is
# Envoy's own, for a copy that its limits, a lost connection or a missing Pilotfish kept back.
CLUSTER: Final = "pilotfish"
_ASK: Final = (
    f"GET /stats?filter=^cluster.{CLUSTER}.upstream_rq_5xx$ HTTP/1.1\r\n"
    "Host: envoy\r\nConnection: close\r\n\r\n"
).encode()
_COUNT: Final = re.compile(rf"cluster\.{CLUSTER}\.upstream_rq_5xx: (\d+)".encode())
_EVERY_S: Final = 5.0
_ANSWER_S: Final = 2.0
# The answer is one line; an address that is not Envoy's may say more.
_ANSWER_BYTES: Final = 16 << 10


class EnvoyAdmin:
    """Follows one Envoy while `follow` runs.

    Attributes:
        address: `host:port` of the admin page; None: nobody is asked. May be replaced at any time.
        lost_calls: copies that were not sent since that Envoy started; None while it is not known.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.lost_calls: int | None = None

    async def follow(self, every_s: float = _EVERY_S) -> None:
        """Asks again and again; ends by cancellation."""
        while True:
            self.lost_calls = None if self.address is None else await _lost_calls(self.address)
            await asyncio.sleep(every_s)


async def _lost_calls(address: str) -> int | None:
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(*host_and_port(address))
            try:
                writer.write(_ASK)
                answer = bytearray()
                while len(answer) < _ANSWER_BYTES and (piece := await reader.read(_ANSWER_BYTES)):
                    answer += piece
            finally:
                writer.close()
    except (OSError, UnicodeError):
        return None
    found = _COUNT.search(answer)
    # Envoy knows no such count before the first.
    return int(found[1]) if found else 0 if answer.startswith(b"HTTP/1.1 200") else None
