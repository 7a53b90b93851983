"""Writes changed manifests with the comments and the layout of the text that they were read from.

ruamel.yaml (the extra `inject`) keeps the text: every scalar stays as it is written, except where a value
changed. `manifests` alone decides what scalars mean. A text is returned only if it is read as exactly the
changed objects.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString, SingleQuotedScalarString

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.manifests import read_manifests, style
from sidecar.tools.injection.patch import same
from sidecar.tools.injection.workloads import Document

_STYLES: Final = {
    '"': DoubleQuotedScalarString,
    "'": SingleQuotedScalarString,
    "|": LiteralScalarString,
    None: str,
}
_UNLIMITED: Final = 1 << 30


class _AsWritten(VersionedResolver):
    """Takes every plain scalar for a text, so that it is written again as it was."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:  # noqa: ANN401 - as ruamel.yaml has it
        text = "text" if kind is ScalarNode and value else value
        return super().resolve(kind, text, implicit)


def write_with_comments(text: str, before: Sequence[Document], after: Sequence[Document]) -> str | None:
    """Writes objects with the comments of the text that they were made from.

    Args:
        text: the text that was read.
        before: the objects that `read_manifests` found in it.
        after: the objects to write.

    Returns:
        YAML documents; None where they cannot be written so, as in a text with aliases that changed.
    """
    yaml_ = YAML(typ="rt")
    yaml_.Resolver = _AsWritten
    yaml_.preserve_quotes = True
    yaml_.explicit_start = True
    yaml_.width = _UNLIMITED
    written = io.StringIO()
    try:
        trees = [tree for tree in yaml_.load_all(text) if tree is not None]
        left = list(zip(before, trees, strict=True))
        yaml_.dump_all([_tree(document, left) for document in after], written)
        again = read_manifests(written.getvalue(), "the text that was written")
    except (YAMLError, InvalidError, ValueError):
        return None
    return written.getvalue() if same(again, list(after)) else None


def _tree(document: Document, left: list[tuple[Document, Any]]) -> Any:  # noqa: ANN401 - YAML
    """Takes the object's own tree out of those that are left and changes it, or makes a new one."""
    for place, (before, tree) in enumerate(left):
        if _identity(before) == _identity(document):
            del left[place]
            return _changed(tree, before, document)
    return _new(document)


def _identity(document: Document) -> object:
    metadata: Any = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    names = [metadata.get(key) for key in ("namespace", "name", "generateName")]
    return [document.get("apiVersion"), document.get("kind"), *names]


def _changed(tree: Any, before: Any, after: Any) -> Any:  # noqa: ANN401 - YAML
    """Changes a tree where the value after differs from the value before, and returns it."""
    if same(before, after):
        return tree
    if isinstance(before, dict) and isinstance(after, dict) and before:
        _change_mapping(tree, before, after)
        return tree
    if isinstance(before, list) and isinstance(after, list) and before and after:
        _change_list(tree, before, after)
        return tree
    return _new(after)


def _change_mapping(tree: Any, before: dict[Any, Any], after: dict[Any, Any]) -> None:  # noqa: ANN401 - YAML
    # The tree has its keys as they are written.
    written = dict(zip(before, list(tree), strict=True))
    for key in before.keys() - after.keys():
        del tree[written[key]]
    for key, value in after.items():
        if key in before:
            tree[written[key]] = _changed(tree[written[key]], before[key], value)
        else:
            tree[_new(key)] = _new(value)


def _change_list(tree: Any, before: list[Any], after: list[Any]) -> None:  # noqa: ANN401 - YAML
    if len(before) == len(after):
        for place, (old, value) in enumerate(zip(before, after, strict=True)):
            tree[place] = _changed(tree[place], old, value)
        return
    kept = 0
    for old in before:
        if kept < len(after) and same(old, after[kept]):
            kept += 1
        else:
            del tree[kept]
    tree.extend(_new(value) for value in after[kept:])


def _new(value: Any) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, dict):
        return {_new(key): _new(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_new(below) for below in value]
    if isinstance(value, str):
        return _STYLES[style(value)](value)
    # A plain scalar: its first line, as PyYAML ends it with a line of its own.
    return str(yaml.safe_dump(value)).partition("\n")[0]
