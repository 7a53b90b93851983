"""The proxies that the configuration asks for: one a `listen` address, shared by endpoints."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sidecar.capture.embedded import Answer, EmbeddedServer
from sidecar.capture.intake import Intake
from sidecar.capture.proxy import Proxy
from sidecar.config.schema import Candidate, Endpoint

# As large as protobuf allows: whatever the model takes, the embedded server passes on to it.
_MAX_MESSAGE_BYTES = (1 << 31) - 1
_DRAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Listener:
    upstream: str | None
    proxy: Proxy


class Listeners:
    """Starts, changes and stops proxies; one whose upstream stays keeps its connections."""

    def __init__(self, open_answer: Callable[[Candidate], Answer]) -> None:
        self._open_answer = open_answer
        self._answers: dict[str, Answer] = {}
        self._incumbents: dict[str, Candidate] = {}
        self._embedded: EmbeddedServer | None = None
        self._listeners: dict[str, _Listener] = {}
        self._listen_of: dict[str, str] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> dict[str, str]:
        """Where clients connect, by endpoint."""
        return {name: self._listeners[listen].proxy.address for name, listen in self._listen_of.items()}

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The running proxies, by the configured address."""
        return {listen: listener.proxy for listen, listener in self._listeners.items()}

    async def apply(self, endpoints: Iterable[Endpoint], intakes: Mapping[str, Intake]) -> None:
        """Brings the proxies in line with the endpoints; intakes are by endpoint.

        Raises:
            UnavailableError: an address cannot be listened on.
            InvalidError: an endpoint has no upstream and its incumbent cannot be loaded.
        """
        watched: defaultdict[str, dict[str, Intake]] = defaultdict(dict)
        upstreams: dict[str, str | None] = {}
        incumbents: dict[str, Candidate] = {}
        self._listen_of = {}
        for endpoint in endpoints:
            for capture in endpoint.capture:
                model = capture.proxy.model or endpoint.name
                watched[capture.proxy.listen][model] = intakes[endpoint.name]
                upstreams[capture.proxy.listen] = capture.proxy.upstream
                self._listen_of[endpoint.name] = capture.proxy.listen
                if capture.proxy.upstream is None:
                    serving = (one for one in endpoint.candidates if one.name == endpoint.incumbent)
                    incumbents[model] = next(serving)
        await self._answer(incumbents)
        # What may fail comes first, so that a refused change touches nobody's connection.
        for listen in upstreams.keys() - self._listeners.keys():
            upstream = upstreams[listen]
            proxy = Proxy(listen, upstream or await self._embedded_address(), watched[listen])
            await proxy.start()
            self._listeners[listen] = _Listener(upstream, proxy)
        for listen in self._listeners.keys() - upstreams.keys():
            gone = asyncio.create_task(self._listeners.pop(listen).proxy.close(_DRAIN_S))
            self._closing.add(gone)
            gone.add_done_callback(self._closing.discard)
        for listen, upstream in upstreams.items():
            proxy = self._listeners[listen].proxy
            proxy.watch(watched[listen])
            if upstream != self._listeners[listen].upstream:
                proxy.redirect(upstream or await self._embedded_address())
                self._listeners[listen] = _Listener(upstream, proxy)

    async def close(self, grace_s: float) -> None:
        """Stops listening and lets open calls end within the grace; again does nothing."""
        await asyncio.gather(*(proxy.close(grace_s) for proxy in self.proxies.values()), *self._closing)
        if self._embedded is not None:
            await self._embedded.close(grace_s)

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
            self._embedded = EmbeddedServer(self._answers, max_message_bytes=_MAX_MESSAGE_BYTES)
            await self._embedded.start()
        return self._embedded.address
