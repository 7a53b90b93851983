"""The captures that the configuration asks for: one a kind and address or path, shared by endpoints."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sidecar.config import schema
from sidecar.config.schema import Candidate, CloudEvents, Endpoint
from sidecar.serving.capture.cloudevents.cloud_events import EventSink
from sidecar.serving.capture.core.copies import CopyServer
from sidecar.serving.capture.core.counts import CaptureCounts, CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.messages import Memory
from sidecar.serving.capture.core.watchlist import Watchlist
from sidecar.serving.capture.ext_proc import ext_proc
from sidecar.serving.capture.mirror import mirror
from sidecar.serving.capture.proxy.observer import ConnectionObserver
from sidecar.serving.capture.proxy.proxy import Proxy
from sidecar.serving.capture.proxy.relay import Observer
from sidecar.serving.capture.rest.rest import RestObserver

if TYPE_CHECKING:
    from sidecar.serving.capture.proxy.embedded import Answer, EmbeddedServer

# As large as protobuf allows: whatever the model takes, the embedded server passes on to it.
_MAX_MESSAGE_BYTES = (1 << 31) - 1
_DRAIN_S = 10.0
_OBSERVE: Mapping[str, Callable[[Watchlist, Memory], Observer]] = {
    "proxy": ConnectionObserver,
    "rest": RestObserver,
}
_BEGIN = {"mirror": mirror.begin, "observer": ext_proc.begin}


class Listener(Protocol):
    """A running capture."""

    @property
    def address(self) -> str:
        """Where it can be reached."""
        ...

    @property
    def counts(self) -> CaptureCounts:
        """The counts up to now."""
        ...

    def watch(self, intakes: Mapping[str, Intake]) -> None:
        """Replaces the intakes, by model name."""
        ...

    async def start(self) -> None:
        """Begins to listen, or UnavailableError."""
        ...

    async def close(self, grace_s: float) -> None:
        """Ends within the grace; again does nothing."""
        ...


@dataclass(slots=True)
class _Wanted:
    """What the configuration asks of one capture."""

    upstream: str | None = None
    envoy: str | None = None
    intakes: dict[str, Intake] = field(default_factory=dict)


class Listeners:
    """Starts, changes and stops captures; what stays where it is keeps its connections."""

    def __init__(self, open_answer: Callable[[Candidate], Answer]) -> None:
        self._open_answer = open_answer
        self._answers: dict[str, Answer] = {}
        self._incumbents: dict[str, Candidate] = {}
        self._embedded: EmbeddedServer | None = None
        self._running: dict[CaptureKey, Listener] = {}
        self._upstreams: dict[CaptureKey, str | None] = {}
        self._key_of: dict[str, CaptureKey] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> dict[str, str]:
        """Where an endpoint's traffic is taken in, by endpoint; of several the last that is configured."""
        return {name: self._running[key].address for name, key in self._key_of.items()}

    @property
    def running(self) -> Mapping[CaptureKey, Listener]:
        """The running captures."""
        return self._running

    def event_sink(self, path: str) -> EventSink | None:
        """What takes the events that are posted to a path."""
        sink = self._running.get(CaptureKey("cloudevents", path))
        return sink if isinstance(sink, EventSink) else None

    async def apply(self, endpoints: Iterable[Endpoint], intakes: Mapping[str, Intake]) -> None:
        """Brings the captures in line with the endpoints; intakes are by endpoint.

        Raises:
            UnavailableError: an address cannot be listened on.
            InvalidError: an endpoint has no upstream and its incumbent cannot be loaded.
        """
        wanted, incumbents = self._wanted(endpoints, intakes)
        await self._answer(incumbents)
        # What may fail comes first, so that a refused change touches nobody's connection.
        for key in wanted.keys() - self._running.keys():
            listener = await self._listener(key, wanted[key])
            await listener.start()
            self._running[key] = listener
            self._upstreams[key] = wanted[key].upstream
        for key in self._running.keys() - wanted.keys():
            gone = asyncio.create_task(self._running.pop(key).close(_DRAIN_S))
            self._closing.add(gone)
            gone.add_done_callback(self._closing.discard)
        for key, new in wanted.items():
            listener = self._running[key]
            listener.watch(new.intakes)
            if isinstance(listener, CopyServer):
                listener.envoy.address = new.envoy
            if isinstance(listener, Proxy) and new.upstream != self._upstreams[key]:
                listener.redirect(new.upstream or await self._embedded_address())
                self._upstreams[key] = new.upstream

    async def close(self, grace_s: float) -> None:
        """Stops listening and lets open calls end within the grace; again does nothing."""
        await asyncio.gather(*(one.close(grace_s) for one in self._running.values()), *self._closing)
        if self._embedded is not None:
            await self._embedded.close(grace_s)

    def _wanted(
        self, endpoints: Iterable[Endpoint], intakes: Mapping[str, Intake]
    ) -> tuple[Mapping[CaptureKey, _Wanted], Mapping[str, Candidate]]:
        """What the endpoints ask of each capture, and the incumbents that serve here, by model name."""
        wanted: defaultdict[CaptureKey, _Wanted] = defaultdict(_Wanted)
        incumbents: dict[str, Candidate] = {}
        self._key_of = {}
        for endpoint in endpoints:
            for capture in endpoint.capture:
                settings = capture.settings
                key = CaptureKey(
                    capture.way, settings.path if isinstance(settings, CloudEvents) else settings.listen
                )
                model = settings.model or endpoint.name
                self._key_of[endpoint.name] = key
                wanted[key].intakes[model] = intakes[endpoint.name]
                if isinstance(settings, schema.Mirror | schema.Observer):
                    wanted[key].envoy = settings.envoy
                if isinstance(settings, schema.Proxy | schema.Rest):
                    wanted[key].upstream = settings.upstream
                    if settings.upstream is None:
                        serving = (one for one in endpoint.candidates if one.name == endpoint.incumbent)
                        incumbents[model] = next(serving)
        return wanted, incumbents

    async def _listener(self, key: CaptureKey, wanted: _Wanted) -> Listener:
        if key.way in _OBSERVE:
            return Proxy(
                key.listen,
                wanted.upstream or await self._embedded_address(),
                wanted.intakes,
                key=f"{key.way}.listen",
                observe=_OBSERVE[key.way],
            )
        if key.way == "cloudevents":
            return EventSink(key.listen, wanted.intakes)
        return CopyServer(
            key.listen, f"{key.way}.listen", _BEGIN[key.way], wanted.intakes, envoy=wanted.envoy
        )

    async def _answer(self, incumbents: Mapping[str, Candidate]) -> None:
        """Loads the incumbents that serve here, by model name; all of them, or none is changed."""
        answers: dict[str, Answer] = {}
        for model, incumbent in incumbents.items():
            if self._incumbents.get(model) == incumbent:
                answers[model] = self._answers[model]
            else:
                answers[model] = await asyncio.to_thread(self._open_answer, incumbent)
        # Calls under way still ask for the models of before; those of before that are let go. The
        # embedded server holds this very dictionary.
        for model in self._answers.keys() - self._incumbents.keys():
            del self._answers[model]
        self._incumbents = dict(incumbents)
        self._answers.update(answers)

    async def _embedded_address(self) -> str:
        if self._embedded is None:
            # Its V2 messages and its codec are for those who have no upstream.
            from sidecar.serving.capture.proxy.embedded import EmbeddedServer  # noqa: PLC0415

            self._embedded = EmbeddedServer(self._answers, max_message_bytes=_MAX_MESSAGE_BYTES)
            await self._embedded.start()
        return self._embedded.address
