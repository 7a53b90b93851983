"""Runs the configured captures: one for each kind and address or path, shared by endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sidecar.config.schema import Candidate, CaptureSection, Endpoint, Listens
from sidecar.serving.capture.core.counts import CaptureKey
from sidecar.serving.capture.core.intake import Intake
from sidecar.serving.capture.core.listener import EventListener, Listener
from sidecar.serving.capture.table import row_of

if TYPE_CHECKING:
    from sidecar.serving.incumbent.server import Answer, EmbeddedServer

# As large as protobuf allows: whatever the model takes, the embedded server passes on to it.
_MAX_MESSAGE_BYTES: Final = (1 << 31) - 1
_DRAIN_S: Final = 10.0


@dataclass(slots=True)
class _Wanted:
    """The settings and intakes that the configuration gives to a capture."""

    settings: CaptureSection
    intakes: dict[str, Intake] = field(default_factory=dict)


class Listeners:
    """Starts, changes and stops captures; what stays where it is keeps its connections."""

    def __init__(self, open_answer: Callable[[Candidate], Answer]) -> None:
        self._open_answer = open_answer
        self._answers: dict[str, Answer] = {}
        self._incumbents: dict[str, Candidate] = {}
        self._embedded: EmbeddedServer | None = None
        self._running: dict[CaptureKey, Listener] = {}
        self._at_paths: dict[str, EventListener] = {}
        self._key_of: dict[str, CaptureKey] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> dict[str, str]:
        """Returns each endpoint's capture address; with several captures, that of the last."""
        return {name: self._running[key].address for name, key in self._key_of.items()}

    @property
    def running(self) -> Mapping[CaptureKey, Listener]:
        """Returns the running captures by their keys."""
        return self._running

    def at_path(self, path: str) -> EventListener | None:
        """Returns the capture that takes events posted to a path."""
        return self._at_paths.get(path)

    async def apply(self, endpoints: Iterable[Endpoint], intakes: Mapping[str, Intake]) -> None:
        """Brings the captures in line with the endpoints; intakes are by endpoint.

        Raises:
            UnavailableError: an address cannot be listened on.
            InvalidError: an endpoint has no upstream and its incumbent cannot be loaded.
        """
        wanted, incumbents = self._wanted(endpoints, intakes)
        await self._answer(incumbents)
        incumbent = await self._embedded_address() if incumbents else ""
        # What may fail comes first, so that a refused change touches nobody's connection.
        for key in wanted.keys() - self._running.keys():
            settings = wanted[key].settings
            listener = row_of(settings).open(key, settings, wanted[key].intakes, incumbent)
            await listener.start()
            self._running[key] = listener
        for key in self._running.keys() - wanted.keys():
            gone = asyncio.create_task(self._running.pop(key).close(_DRAIN_S))
            self._closing.add(gone)
            gone.add_done_callback(self._closing.discard)
        for key, new in wanted.items():
            self._running[key].watch(new.intakes)
            row_of(new.settings).change(self._running[key], new.settings, incumbent)
        self._at_paths = {
            key.listen: listener
            for key, listener in self._running.items()
            if wanted[key].settings.listens is Listens.PATH and isinstance(listener, EventListener)
        }

    async def close(self, grace_s: float) -> None:
        """Stops listening and lets open calls end within the grace; again does nothing."""
        await asyncio.gather(*(one.close(grace_s) for one in self._running.values()), *self._closing)
        if self._embedded is not None:
            await self._embedded.close(grace_s)

    def _wanted(
        self, endpoints: Iterable[Endpoint], intakes: Mapping[str, Intake]
    ) -> tuple[Mapping[CaptureKey, _Wanted], Mapping[str, Candidate]]:
        """Returns what the endpoints ask of each capture, and the incumbents that serve here by model."""
        wanted: dict[CaptureKey, _Wanted] = {}
        incumbents: dict[str, Candidate] = {}
        self._key_of = {}
        for endpoint in endpoints:
            for capture in endpoint.capture:
                settings = capture.settings
                key = CaptureKey(capture.way, settings.where)
                model = settings.model or endpoint.name
                self._key_of[endpoint.name] = key
                asked = wanted.setdefault(key, _Wanted(settings))
                asked.settings = settings
                asked.intakes[model] = intakes[endpoint.name]
                if settings.asks_incumbent:
                    serving = (one for one in endpoint.candidates if one.name == endpoint.incumbent)
                    incumbents[model] = next(serving)
        return wanted, incumbents

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
            from sidecar.serving.incumbent.server import EmbeddedServer  # noqa: PLC0415

            self._embedded = EmbeddedServer(self._answers, max_message_bytes=_MAX_MESSAGE_BYTES)
            await self._embedded.start()
        return self._embedded.address
