"""Servers that take copies of calls: what mirror and observer have in common."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sidecar.serving.capture.core.accepting import Acceptor, Closable
from sidecar.serving.capture.core.counts import CaptureCounts
from sidecar.serving.capture.core.envoy_admin import EnvoyAdmin
from sidecar.serving.capture.core.http2_server import ServerConnection, Stream
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import MEMORY_BYTES, Memory
from sidecar.serving.capture.core.watchlist import Watchlist

Begin: TypeAlias = Callable[[Mapping[bytes, bytes], Watchlist, Memory], Stream]


class CopyServer:
    """Listens for those who send copies, and leads each call to what reads it."""

    def __init__(
        self,
        listen: str,
        key: str,
        begin: Begin,
        intakes: Mapping[str, Intake],
        *,
        envoy: str | None = None,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Prepares; nothing is opened before `start`.

        Args:
            listen: `host:port`; port 0 takes a free one.
            key: what the address is called in the configuration, for the message.
            begin: makes what reads a call, from the call's header fields.
            intakes: by the model name in the requests.
            envoy: `host:port` of the admin page of the Envoy that sends the copies, if it is to be asked.
            memory_bytes: that all open calls may hold together.
        """
        self.memory = Memory(memory_bytes)
        self.envoy = EnvoyAdmin(envoy)
        self._following: asyncio.Task[None] | None = None
        self._begin = begin
        self._watchlist = Watchlist(intakes)
        self._acceptor = Acceptor(listen, key, lambda: ServerConnection(self))
        self._unreadable_connections = 0

    @property
    def address(self) -> str:
        """`host:port` as it listens; the configured one while it does not."""
        return self._acceptor.address

    @property
    def counts(self) -> CaptureCounts:
        """Returns the counts up to now."""
        return CaptureCounts(
            unwatched_calls=self._watchlist.unwatched_calls,
            unreadable_calls=self._watchlist.unreadable_calls,
            waiting_calls=self._watchlist.waiting_calls,
            connections=self._acceptor.connections,
            connections_total=self._acceptor.opened_total,
            unreadable_connections=self._unreadable_connections,
            lost_calls=self.envoy.lost_calls,
        )

    @property
    def fields(self) -> frozenset[bytes]:
        """Implements `Server`."""
        return self._watchlist.fields

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by model name; calls under way keep theirs."""
        self._watchlist.watch(intakes)

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            UnavailableError: the address cannot be listened on.
        """
        await self._acceptor.start()
        self._following = asyncio.create_task(self.envoy.follow(), name="envoy-admin")

    async def close(self, grace_s: float) -> None:
        """Stops listening, lets open calls end, closes; without a start, or again, does nothing.

        Args:
            grace_s: after this long what is still open is cut off.
        """
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        await self._acceptor.close(grace_s)

    def begin(self, fields: Mapping[bytes, bytes]) -> Stream:
        """Implements `Server`."""
        return self._begin(fields, self._watchlist, self.memory)

    def on_refused(self) -> None:
        """Implements `Server`."""
        self._watchlist.unreadable_calls += 1

    def on_unreadable(self) -> None:
        """Implements `Server`."""
        self._unreadable_connections += 1

    def on_open(self, connection: Closable) -> None:
        """Implements `Server`."""
        self._acceptor.opened(connection)

    def on_gone(self, connection: Closable) -> None:
        """Implements `Server`."""
        self._acceptor.gone(connection)
