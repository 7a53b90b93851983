"""Loads the configuration and reports every fault at once: where it is, what is wrong, how to mend it."""

from __future__ import annotations

import contextlib
import os
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from sidecar.config.contradictions import contradictions, mappings
from sidecar.config.schema import Candidate, Config, Endpoint
from sidecar.config.units import Place
from sidecar.core.close_names import close_names
from sidecar.core.errors import InvalidError

if TYPE_CHECKING:
    import yaml

_PREFIX = "PILOTFISH_"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a configuration file; `line` counts from 1 and is 0 if the fault has no line."""

    place: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        return f"{where}{self.place}: {self.message}"


class ConfigFaultsError(InvalidError):
    """A configuration that cannot be used, with all its faults."""

    def __init__(self, path: Path, faults: Iterable[Fault], *, unreadable: bool = False) -> None:
        self.path = path
        self.unreadable = unreadable
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        super().__init__("\n".join(f"{path}: {fault}" for fault in self.faults))


def load_config(path: Path) -> Config:
    """Reads a configuration file, applies the environment's overrides, and validates the result.

    Raises:
        ConfigFaultsError: the configuration has faults; the error lists all that could be found.
    """
    root, data = read_mapping(path)
    overrides = _overrides(path)
    unknown = [Fault(name, 0, message) for name, message in _unknown_variables(os.environ)]
    if unknown:
        raise ConfigFaultsError(path, unknown)
    return _validate(path, root, _override(data, overrides), within=(), overrides=overrides)


def valid_candidates(path: Path) -> Iterator[tuple[str, Candidate]]:
    """Yields each valid candidate with its endpoint's name, whatever else is wrong in the file."""
    context = {"folder": path.absolute().parent}
    for _, endpoint in mappings(read_mapping(path)[1].get("endpoints")):
        for _, entry in mappings(endpoint.get("candidates")):
            with contextlib.suppress(ValidationError):
                yield str(endpoint.get("name")), Candidate.model_validate(entry, context=context)


def load_candidates(path: Path) -> Endpoint:
    """Reads one endpoint: from a configuration file that has one, or from a file with an endpoint's keys.

    If the keys `name` and `incumbent` are missing, the endpoint's name is `offline` and its first candidate
    is the incumbent.

    Raises:
        ConfigFaultsError: the file has faults; the error lists all that could be found.
    """
    root, data = read_mapping(path)
    if "endpoints" in data:
        config = _validate(path, root, data, within=())
        if len(config.endpoints) != 1:
            raise ConfigFaultsError(
                path, [Fault("endpoints", 0, "lists several endpoints; keep only the endpoint to rank")]
            )
        return config.endpoints[0]
    first = next((entry for _, entry in mappings(data.get("candidates"))), {})
    endpoint = {"name": "offline", "incumbent": first.get("name"), **data}
    return _validate(path, root, {"endpoints": [endpoint]}, within=("endpoints", 0)).endpoints[0]


def read_mapping(path: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Reads a YAML file that holds a mapping; returns its nodes, which know their lines, and its content.

    Raises:
        ConfigFaultsError: the file cannot be read, or it holds no mapping.
    """
    # The scoring process imports this module for the schema and reads no file.
    import yaml  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFaultsError(
            path,
            [Fault("file", 0, f"cannot be read: {error.strerror if isinstance(error, OSError) else error}")],
            unreadable=True,
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        fault = Fault("file", mark.line + 1 if mark else 0, f"is not YAML: {problem}")
        raise ConfigFaultsError(path, [fault], unreadable=True) from error
    if not isinstance(data, dict):
        raise ConfigFaultsError(
            path,
            [Fault("file", 1, "holds no mapping; start the file with a key and a colon, like `endpoints:`")],
            unreadable=True,
        )
    return root, data


def _overrides(path: Path) -> dict[str, Any]:
    if not any(name.upper().startswith(_PREFIX) for name in os.environ):
        return {}
    # This import takes 8 MiB, so it is made only if a variable is set.
    from sidecar.config.environment import SettingsError, overrides  # noqa: PLC0415

    try:
        return overrides(_PREFIX)
    except SettingsError as error:
        raise ConfigFaultsError(
            path, [Fault("environment", 0, f"{error}: write the value as JSON")]
        ) from error


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {f"{_PREFIX}{name.upper()}": name for name in Config.model_fields}
    # Kubernetes sets variables like PILOTFISH_PORT for a service named pilotfish: they have no __.
    for variable in (name for name in environment if "__" in name):
        section = variable.split("__")[0].upper()
        if variable.upper().startswith(_PREFIX) and section not in known:
            nearest = close_names(section, known)
            yield variable, f"unknown variable; did you mean {(nearest or sorted(known))[0]}?"


def _validate(
    path: Path,
    root: yaml.Node | None,
    data: dict[str, Any],
    *,
    within: Place,
    overrides: dict[str, Any] | None = None,
) -> Config:
    """Validates a whole configuration; the content of the file stands at the place `within`."""

    def fault(place: Place, message: str) -> Fault:
        if _stands_in(overrides or {}, place):
            return Fault(_PREFIX + "__".join(str(step) for step in place).upper(), 0, message)
        inner = place[len(within) :] if place[: len(within)] == within else place
        return Fault(place_text(inner), line_of(root, inner), message)

    faults = [fault(place, message) for place, message in contradictions(data)]
    try:
        config = Config.model_validate(data, context={"folder": path.absolute().parent})
    except ValidationError as error:
        faults += [fault(place, message) for place, message in refused(error, Config)]
        raise ConfigFaultsError(path, faults) from error
    if faults:
        raise ConfigFaultsError(path, faults)
    return config


def refused(error: ValidationError, schema: type[BaseModel]) -> Iterator[tuple[Place, str]]:
    """Yields the place and the message of each fault that a schema found."""
    items = error.errors(include_url=False, include_input=False)
    for item in items:
        place = tuple(item["loc"])
        # A list is not too short if it lost its entries to faults of their own.
        if item["type"] == "too_short" and any(
            place == other["loc"][: len(place)] != other["loc"] for other in items
        ):
            continue
        yield place, _say(item["type"], place, item["msg"], schema)


def _stands_in(overrides: Any, place: Place) -> bool:  # noqa: ANN401 - what the environment holds
    """Tells whether the value at a place came from the environment."""
    for step in place:
        if not isinstance(overrides, dict):
            break
        if step not in overrides:
            return False
        overrides = overrides[step]
    return bool(place)


def _override(data: dict[str, Any], by: dict[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in by.items():
        below = merged.get(key)
        merged[key] = (
            _override(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged


def _say(kind: str, place: Place, message: str, schema: type[BaseModel]) -> str:
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    known = _keys_at(place[:-1], schema)
    nearest = close_names(str(place[-1]), known)
    return (
        f"unknown key; did you mean {nearest[0]!r}?" if nearest else f"unknown key; known: {', '.join(known)}"
    )


def _keys_at(place: Place, schema: type[BaseModel]) -> list[str]:
    """Returns the keys that a schema knows at a place."""
    model: Any = schema
    for step in place:
        # A step that is not a field is a key of a mapping, whose value type _parts has found already.
        if isinstance(step, str) and _is_model(model) and step in model.model_fields:
            model = model.model_fields[step].annotation
        model = next((part for part in _parts(model) if _is_model(part)), model)
    return sorted(model.model_fields) if _is_model(model) else []


def _parts(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type annotation
    yield annotation
    for part in typing.get_args(annotation):
        yield from _parts(part)


def _is_model(thing: Any) -> bool:  # noqa: ANN401 - a type annotation
    return isinstance(thing, type) and issubclass(thing, BaseModel)


def place_text(place: Place) -> str:
    """Writes a place as people do: `endpoints[0].candidates`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.lstrip(".") or "file"


def line_of(node: yaml.Node | None, place: Place) -> int:
    """Returns the line of a place, or of its nearest parent that the file has."""
    import yaml  # noqa: PLC0415

    line = 0
    for step in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
