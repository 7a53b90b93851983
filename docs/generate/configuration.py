"""The page of configuration keys, from the schema that reads the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.generate.markdown import code, sentence, table
from sidecar.config import Config

Schema = Mapping[str, Any]
_RESTART: Final = " A change needs a restart."
_HEAD = """# Configuration

One YAML file. `pilotfish check --config FILE` prints every fault in it at once and opens every model,
profile and server that it names; `pilotfish check --schema` prints this page as a JSON schema. A key that
nobody knows is refused, with the nearest known key.

An environment variable overrides the file: `PILOTFISH_SERVE__GRPC=127.0.0.1:9500` sets `serve.grpc`. Two
underscores go one section down.

Sizes are bytes or have a unit (`64MiB`), durations are seconds or have a unit (`200ms`, `5s`, `1m`).
Relative paths start at the folder of the configuration file.

"""


def page() -> str:
    """The whole page: the file first, then each section in the order in which the file leads to it."""
    whole = Config.model_json_schema()
    parts: Mapping[str, Schema] = whole["$defs"]
    text = [_HEAD, "## The file\n", _keys(whole)]
    for name in _reached(whole, parts):
        text.append(f"## {name}\n\n{parts[name].get('description', '')}\n")
        text.append(_keys(parts[name]))
    return "\n".join(text)


def _reached(whole: Schema, parts: Mapping[str, Schema]) -> Iterator[str]:
    seen: set[str] = set()

    def below(schema: Schema) -> Iterator[str]:
        for name in _references(schema.get("properties", {})):
            if name not in seen:
                seen.add(name)
                yield name
                yield from below(parts[name])

    yield from below(whole)


def _keys(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    return table(
        ("key", "type", "default", "meaning"),
        (
            (
                code(key),
                _type(part),
                "required" if key in required else _default(part),
                sentence(part.get("description", "")) + _RESTART * bool(part.get("needs_restart")),
            )
            for key, part in schema.get("properties", {}).items()
        ),
    )


def _default(part: Schema) -> str:
    default = part.get("default")
    if default is None or isinstance(default, dict):
        return ""
    if isinstance(default, list) and any(isinstance(entry, dict) for entry in default):
        return ", ".join(code(str(entry.get("name", ""))) for entry in default)
    text = json.dumps(default, ensure_ascii=False)
    return code(text) if default not in ("", []) else ""


def _type(part: Schema) -> str:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in part:
        return " or ".join(code(str(value)) for value in part["enum"])
    if "const" in part:
        return code(json.dumps(part["const"]))
    alternatives = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if alternatives:
        return " or ".join(dict.fromkeys(map(_type, alternatives)))
    return _container(part) or str(part.get("type", "")) + _bounds(part)


def _container(part: Schema) -> str:
    if part.get("type") == "array":
        return f"list of {_type(part['items'])}"
    if part.get("type") == "object":
        named: Mapping[str, Schema] = part.get("patternProperties", {})
        inner: Schema = part.get("additionalProperties") or next(iter(named.values()), {})
        return f"mapping of names to {_type(inner)}"
    return ""


def _bounds(part: Schema) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {part[key]:g}" for key, sign in words.items() if key in part]
    return f", {', '.join(found)}" if found else ""


def _references(schema: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
