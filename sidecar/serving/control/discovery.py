"""Finds candidates among the models of servers by reading their repository indexes at intervals.

A model stays known while its server is not reached or refuses to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import structlog

from sidecar.config.candidates import joined
from sidecar.config.schema import MAX_CANDIDATES, Candidate, Discover, Endpoint, is_name
from sidecar.core.errors import InvalidError, UnavailableError
from sidecar.wire.v2.repository import Index, IndexState, WatchKey, ready_models
from sidecar.wire.v2.way import way_to

if TYPE_CHECKING:
    from sidecar.wire.v2.server import V2Server

# Servers that are asked at once; one that hangs keeps its turn until its deadline.
_AT_ONCE: Final = 4

log = structlog.get_logger("pilotfish.discovery")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Matching models of an index; `left_out` has those with invalid names or beyond the limit."""

    models: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Watched:
    """A server of an endpoint; `chosen` is from the last index that was read, whatever came since."""

    settings: Discover
    chosen: Chosen
    state: IndexState | None = None
    server: V2Server | None = None
    task: asyncio.Task[None] | None = None


class Discovery:
    """Watches the servers of all endpoints; everything but the calls themselves is on one event loop."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        """Prepares; nobody is asked before `configure`.

        Args:
            changed: is told the endpoint whose `candidates` are others now.
        """
        self._changed = changed
        self._watched: dict[WatchKey, _Watched] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, "discovery")

    @property
    def states(self) -> dict[WatchKey, tuple[IndexState, int]]:
        """Returns the last result of each server that was read, and the number of its matching models."""
        return {
            key: (one.state, len(one.chosen.models))
            for key, one in self._watched.items()
            if one.state is not None
        }

    def candidates(self, endpoint: str) -> list[Candidate]:
        """Returns the known models of an endpoint's servers as candidates."""
        return [one.settings.candidate(model) for one in self._of(endpoint) for model in one.chosen.models]

    def left_out(self, endpoint: str) -> list[str]:
        """Returns the matching models that cannot be candidates."""
        return [model for one in self._of(endpoint) for model in one.chosen.left_out]

    def configure(self, endpoints: Iterable[Endpoint]) -> None:
        """Takes the servers to watch; what is known of those that stay is kept."""
        before, self._watched = self._watched, {}
        for endpoint in endpoints:
            for settings in endpoint.discover:
                key = WatchKey(endpoint.name, settings.url, settings.models)
                known = before.get(key)
                if known is not None and known.settings == settings:
                    self._watched[key] = before.pop(key)
                    continue
                new = self._watched[key] = _Watched(settings, known.chosen if known else Chosen())
                new.task = asyncio.create_task(self._watch(key, new), name=f"discovery of {key.url}")
        for gone in before.values():
            _end(gone)

    async def close(self) -> None:
        """Ends all watching; a second time does nothing."""
        tasks = [one.task for one in self._watched.values() if one.task is not None]
        self.configure(())
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def _of(self, endpoint: str) -> Iterator[_Watched]:
        return (one for key, one in self._watched.items() if key.endpoint == endpoint)

    async def _watch(self, key: WatchKey, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()
        while True:
            index = await loop.run_in_executor(self._threads, _asked, watched)
            try:
                self._take(key, watched, index)
            except Exception:
                # Whatever went wrong, the server is asked again.
                log.exception("discovery failed", endpoint=key.endpoint, url=key.url)
            await asyncio.sleep(watched.settings.every)

    def _take(self, key: WatchKey, watched: _Watched, index: Index) -> None:
        before, watched.state = watched.state, index.state
        if index.state is not IndexState.READ:
            if index.state is not before:
                log.warning(
                    "models cannot be discovered; the models that are known stay candidates",
                    endpoint=key.endpoint,
                    url=key.url,
                    why=index.reason,
                )
            return
        now = chosen(watched.settings, index.models, known=watched.chosen.models)
        if now != watched.chosen:
            watched.chosen = now
            self._changed(key.endpoint)


def chosen(settings: Discover, models: Iterable[str], *, known: Iterable[str] = ()) -> Chosen:
    """Picks the models that fit the pattern: those known first, then by name."""
    before = frozenset(known)
    fitting = sorted(
        (model for model in models if fnmatchcase(model, settings.models)),
        key=lambda model: (model not in before, model),
    )
    named = [model for model in fitting if is_name(model)]
    odd = [model for model in fitting if not is_name(model)]
    return Chosen(tuple(named[:MAX_CANDIDATES]), (*odd, *named[MAX_CANDIDATES:]))


def look(settings: Discover) -> tuple[Index, Chosen]:
    """Reads a server's index once."""
    index = _asked(_Watched(settings, Chosen()))
    return index, chosen(settings, index.models)


def with_discovered(endpoint: Endpoint) -> Endpoint:
    """The endpoint with the models that its servers have now among its candidates.

    Raises:
        UnavailableError: a server was not reached.
        InvalidError: it has no index.
    """
    found: list[Candidate] = []
    for settings in endpoint.discover:
        index, fit = look(settings)
        if index.state is not IndexState.READ:
            away = index.state is IndexState.AWAY
            raise (UnavailableError if away else InvalidError)(f"discover: {index.reason}")
        found += map(settings.candidate, fit.models)
    return endpoint.model_copy(update={"candidates": joined(endpoint.candidates, found)[0]})


def _asked(watched: _Watched) -> Index:
    try:
        # A connection of its own for every look: the files of its TLS may have been renewed.
        watched.server = way_to(watched.settings)
    except InvalidError as error:
        return Index(IndexState.REFUSED, reason=str(error))
    with closing(watched.server) as server:
        return ready_models(server)


def _end(watched: _Watched) -> None:
    if watched.task is not None:
        watched.task.cancel()
    if watched.server is not None:
        watched.server.close()
