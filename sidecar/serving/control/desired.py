"""The desired state: the configuration file, the models of servers, and the changes at run time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from sidecar.config.candidates import joined
from sidecar.config.schema import RESTART_SECTIONS, Candidate, Config, Endpoint, Onnx
from sidecar.core.errors import InvalidError, NotFoundError


class DesiredState:
    """The file's configuration with candidates that come and go; every change yields a new Config.

    Attributes:
        file: as it was last read.
        config: the file with what servers have and the changes made at run time.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self.file = config
        self._folder = folder
        # By endpoint and name; None stands for a candidate of the file or of a server that was removed.
        self._changes: defaultdict[str, dict[str, Candidate | None]] = defaultdict(dict)
        self._found: dict[str, tuple[Candidate, ...]] = {}
        self._merge()

    def _merge(self) -> None:
        """Makes `config` anew; it is asked for more often than it changes."""
        parts = {endpoint.name: self._joined(endpoint) for endpoint in self.file.endpoints}
        self._left_out = {name: left_out for name, (_, left_out) in parts.items()}
        endpoints = tuple(
            endpoint.model_copy(update={"candidates": parts[endpoint.name][0]})
            for endpoint in self.file.endpoints
        )
        self.config = self.file.model_copy(update={"endpoints": endpoints})

    def _joined(self, endpoint: Endpoint) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
        """An endpoint's candidates, and the names of those that are left out."""
        of_file = {candidate.name: candidate for candidate in endpoint.candidates}
        changes = self._changes[endpoint.name]
        registered = {name: candidate for name, candidate in changes.items() if candidate is not None}
        every, left_out = joined(({**of_file, **registered}).values(), self._found.get(endpoint.name, ()))
        removed = changes.keys() - registered.keys()
        return tuple(one for one in every if one.name not in removed), left_out

    def reload(self, config: Config) -> None:
        """Takes a changed file.

        Raises:
            InvalidError: it changes what only a restart can.
        """
        changed = [
            f"{section}.{key}"
            for section in RESTART_SECTIONS
            for key, value in getattr(config, section)
            if value != getattr(getattr(self.file, section), key)
        ]
        if changed:
            raise InvalidError(
                f"{', '.join(changed)}: a change needs a restart; nothing in the file was applied"
            )
        self.file = config
        for endpoint in config.endpoints:
            if self._changes[endpoint.name].get(endpoint.incumbent, endpoint) is None:
                del self._changes[endpoint.name][endpoint.incumbent]
        self._merge()

    def discover(self, endpoint: str, found: Iterable[Candidate]) -> tuple[str, ...]:
        """Takes what an endpoint's servers have, in place of what they had; returns the names left out.

        Those that were there before come first, so that nobody loses its place to a new one.
        """
        before = {candidate.name for candidate in self._found.get(endpoint, ())}
        self._found[endpoint] = tuple(sorted(found, key=lambda one: one.name not in before))
        self._merge()
        return self._left_out[endpoint]

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint with all its candidates.

        Raises:
            NotFoundError: there is no such endpoint.
        """
        for endpoint in self.config.endpoints:
            if endpoint.name == name:
                return endpoint
        known = ", ".join(endpoint.name for endpoint in self.file.endpoints)
        raise NotFoundError(f"no endpoint {name!r}; there are: {known}")

    def configured(self, endpoint: str) -> frozenset[str]:
        """Returns the names of the candidates that the file lists and no run-time change replaced."""
        changed = self._changes[endpoint]
        return frozenset(one.name for one in self.endpoint(endpoint).candidates if one.name not in changed)

    def register(self, endpoint: str, *, name: str, profile: Path, onnx: Path) -> None:
        """Adds a candidate whose files lie in the `models` folder.

        Raises:
            NotFoundError: there is no such endpoint.
            InvalidError: the name is taken or odd, or a file is missing or lies elsewhere.
        """
        known = self.endpoint(endpoint)
        if any(candidate.name == name for candidate in known.candidates):
            raise InvalidError(f"candidate {name!r} exists already; remove it first")
        try:
            candidate = Candidate(
                name=name, profile=self._inside(profile), onnx=Onnx(path=self._inside(onnx))
            )
            Endpoint.model_validate({**dict(known), "candidates": (*known.candidates, candidate)})
        except ValidationError as error:
            raise InvalidError(f"candidate {name!r}: {error.errors(include_url=False)[0]['msg']}") from error
        self._changes[endpoint][name] = candidate
        self._merge()

    def remove(self, endpoint: str, name: str) -> None:
        """Removes a candidate until the next start, or until it is registered again.

        Raises:
            NotFoundError: there is no such endpoint or candidate.
            InvalidError: it is the incumbent.
        """
        known = self.endpoint(endpoint)
        if name not in {candidate.name for candidate in known.candidates}:
            raise NotFoundError(f"no candidate {name!r} in {endpoint!r}; ListCandidates lists the names")
        if name == known.incumbent:
            raise InvalidError(
                f"candidate {name!r} is the incumbent and stays; make another candidate the incumbent "
                "in the configuration first"
            )
        of_file = next(one for one in self.file.endpoints if one.name == endpoint)
        if name in {one.name for one in (*of_file.candidates, *self._found.get(endpoint, ()))}:
            self._changes[endpoint][name] = None
        else:
            self._changes[endpoint].pop(name, None)
        self._merge()

    def _inside(self, path: Path) -> Path:
        folder = (self.file.models or self._folder).resolve()
        if "\0" in str(path):
            raise InvalidError("the path has a NUL character; give the path of a file")
        found = (folder / path).resolve()
        if not found.is_relative_to(folder):
            raise InvalidError(
                f"{path} lies outside {folder}; put the file there, or change `models` in the configuration"
            )
        if not found.is_file():
            raise InvalidError(f"{path}: no such file in {folder}; check the path")
        return found
