"""Faults between keys of a configuration, which no single field can see.

The functions read raw data, so that a contradiction is reported beside the faults of single fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.config.captures import capture_faults
from sidecar.config.schema import Serve
from sidecar.config.units import Place


def contradictions(data: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yields the place and the message of each contradiction between keys."""
    endpoints = mappings(data.get("endpoints"))
    own, faults = _own_addresses(data)
    yield from faults
    yield from capture_faults(endpoints, own)
    yield from _repeated(endpoints, ("endpoints",))
    for index, endpoint in endpoints:
        candidates = mappings(endpoint.get("candidates"))
        yield from _repeated(candidates, ("endpoints", index, "candidates"))
        names = [candidate.get("name") for _, candidate in candidates]
        if names and "incumbent" in endpoint and endpoint["incumbent"] not in names:
            known = ", ".join(map(str, names))
            yield (
                ("endpoints", index, "incumbent"),
                f"{endpoint['incumbent']!r} is not a candidate; the candidates are: {known}",
            )


def _own_addresses(data: dict[str, Any]) -> tuple[dict[str, str], list[tuple[Place, str]]]:
    """Returns the addresses of Pilotfish's own services with their keys, and the faults among them."""
    serve = data.get("serve") if isinstance(data.get("serve"), dict) else {}
    uses: dict[str, str] = {}
    faults: list[tuple[Place, str]] = []
    for key in ("grpc", "http"):
        default = Serve.model_fields[key].default
        address = str(serve.get(key, default) if isinstance(serve, dict) else default)
        if not address.endswith(":0") and uses.setdefault(address, f"serve.{key}") != f"serve.{key}":
            faults.append((("serve", key), f"{address} is the address of `{uses[address]}` already"))
    return uses, faults


def _repeated(entries: list[tuple[int, dict[str, Any]]], place: Place) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for index, entry in entries:
        name = str(entry.get("name"))
        if name in seen:
            yield (
                (*place, index, "name"),
                f"{name!r} is the name of an earlier entry; choose another, as names are unique",
            )
        seen.add(name)


def mappings(value: Any) -> list[tuple[int, dict[str, Any]]]:  # noqa: ANN401 - raw YAML
    """Returns the entries of a list that are mappings, with their places in the list."""
    entries = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]
