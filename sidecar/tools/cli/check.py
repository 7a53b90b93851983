"""`pilotfish check`: says everything that is wrong with a configuration, before it is used."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rich.console import Console

from sidecar.config import Candidate, Config, ConfigFaultsError, Endpoint, load_config, valid_candidates
from sidecar.config.candidates import joined
from sidecar.core.errors import InvalidError, PilotfishError
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import DATATYPES
from sidecar.formats.performance_model import read_models
from sidecar.scoring.runners.opening import checked_profile
from sidecar.serving.control.discovery import look
from sidecar.tools.cli.options import Flag
from sidecar.wire.v2.repository import IndexState

# A message lists at most so many names.
_FEW = 5


def check(
    *,
    config: Path | None = None,
    schema: Flag = False,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
) -> int:
    """Checks a configuration, and the files and servers that it names, and prints all faults at once.

    Args:
        config: Configuration file to check.
        schema: Print the JSON schema of the configuration instead.
        format: table prints one fault per line; json prints one JSON object.
    """
    if schema:
        print(json.dumps(Config.model_json_schema(), indent=2))  # noqa: T201 - the output
        return 0
    if config is None:
        raise InvalidError(
            "there is nothing to check: name a file with --config, or print the schema with --schema"
        )
    found = _Discovered(config)
    faults = [*_faults(config, found.candidates), *found.faults]
    notes = [*_notes(config, found.candidates), *found.notes]
    if format == "json":
        print(json.dumps({"config": str(config), "faults": faults, "notes": notes}, indent=2))  # noqa: T201 - the output
    else:
        console = Console(soft_wrap=True, highlight=False)
        for line in (*faults, *(f"note: {note}" for note in notes)):
            console.print(line, markup=False)
        console.print(
            f"{config}: {len(faults)} fault{'s' * (len(faults) > 1)}" if faults else f"{config}: ok",
            markup=False,
        )
    return 1 if faults else 0


class _Discovered:
    """The models of the servers that the configuration wants to discover candidates on.

    Attributes:
        candidates: discovered candidates, with the names of their endpoints.
        faults: servers that do not list their models.
        notes: models that cannot be candidates, and patterns that match no model.
    """

    def __init__(self, path: Path) -> None:
        self.candidates: list[tuple[str, Candidate]] = []
        self.faults: list[str] = []
        self.notes: list[str] = []
        with suppress(ConfigFaultsError):
            for endpoint in load_config(path).endpoints:
                self._look(endpoint)

    def _look(self, endpoint: Endpoint) -> None:
        found: list[Candidate] = []
        left_out: list[str] = []
        for settings in endpoint.discover:
            where = f"endpoint {endpoint.name}, discover {settings.models} of {settings.url}"
            index, fit = look(settings)
            found += map(settings.candidate, fit.models)
            left_out += fit.left_out
            if index.state is not IndexState.READ:
                self.faults.append(f"{where}: {index.reason}")
            elif not fit.models:
                self.notes.append(
                    f"{where}: no model that is ready fits; there are {list(index.models)[:_FEW]}"
                )
        every, more = joined(endpoint.candidates, found)
        self.candidates += [(endpoint.name, one) for one in every[len(endpoint.candidates) :]]
        left_out += more
        if left_out:
            self.notes.append(
                f"endpoint {endpoint.name}: {len(left_out)} models that fit are no candidates: there is no "
                f"room, or their name is odd or taken: {left_out[:_FEW]}"
            )


def _faults(path: Path, found: Sequence[tuple[str, Candidate]]) -> Iterator[str]:
    endpoints: dict[str, Endpoint] = {}
    try:
        endpoints = {endpoint.name: endpoint for endpoint in load_config(path).endpoints}
    except ConfigFaultsError as error:
        yield from (str(fault) for fault in error.faults)
        if error.unreadable:
            return
    for name, candidate in (*valid_candidates(path), *found):
        where = f"endpoint {name}, candidate {candidate.name}"
        yield from (f"{where}: {fault}" for fault in _performance_faults(candidate))
        try:
            profile = checked_profile(candidate)
        except PilotfishError as error:
            yield f"{where}: {error}"
            continue
        room = _window_room(endpoints[name], profile) if name in endpoints else profile.partition_rows
        if room < profile.partition_rows:
            yield (
                f"{where}: the window holds {room} items and the profile's partitions have "
                f"{profile.partition_rows}, so adaptivity will never be known: raise window.items and "
                f"window.bytes, or build the profile with --partition-rows {max(room // 4, 1)}"
            )


def _notes(path: Path, found: Sequence[tuple[str, Candidate]]) -> Iterator[str]:
    """What cannot be checked."""
    with suppress(ConfigFaultsError):
        config = load_config(path)
        for endpoint in config.endpoints if config.interference.latency_ratio else ():
            if not any(capture.settings.sees_latency for capture in endpoint.capture):
                yield (
                    f"endpoint {endpoint.name}: its captures see no answers, so that the model server's "
                    "latency is not known and interference.latency_ratio cannot be kept for it"
                )
    with suppress(ConfigFaultsError):
        for name, candidate in (*valid_candidates(path), *found):
            if behind := candidate.model.behind:
                yield (
                    f"endpoint {name}, candidate {candidate.name}: nobody but you knows that its profile is "
                    f"of the model {behind.model!r} that {behind.url} serves"
                )


def _performance_faults(candidate: Candidate) -> Iterator[str]:
    if candidate.performance is not None:
        try:
            for model in read_models(candidate.performance.model).values():
                model.space.code(candidate.performance.configuration)
        except InvalidError as error:
            yield f"performance: {error}"


def _window_room(endpoint: Endpoint, profile: SourceProfile) -> int:
    """How many items the window holds; text is taken as empty."""
    item_bytes = sum(DATATYPES[spec.datatype].itemsize * math.prod(spec.shape) for spec in profile.inputs)
    return min(endpoint.window.items, endpoint.window.bytes // max(item_bytes, 1))
