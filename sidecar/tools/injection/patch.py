"""The JSON Patch (RFC 6902) that turns one document into another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def json_patch(before: Any, after: Any, path: str = "") -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yields the operations, in the order in which they are applied.

    Appended entries of a list are added to it; a list that changed in any other way is replaced as a whole.

    Args:
        before: the JSON value to start from.
        after: the JSON value to reach.
        path: place of both in their documents, as a JSON Pointer.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() - after.keys():
            yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
        for key, value in after.items():
            below = f"{path}/{_escaped(key)}"
            if key in before:
                yield from json_patch(before[key], value, below)
            else:
                yield {"op": "add", "path": below, "value": value}
    elif isinstance(before, list) and isinstance(after, list) and same(before, after[: len(before)]):
        for value in after[len(before) :]:
            yield {"op": "add", "path": f"{path}/-", "value": value}
    elif not same(before, after):
        yield {"op": "replace", "path": path, "value": after}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether two JSON values are equal, which `True` and `1` are not, other than in Python."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
