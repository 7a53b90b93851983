"""Manifests as text and as data: reads YAML as Kubernetes does where PyYAML reads it differently.

For Kubernetes `1e3` and `0o644` are numbers, `y` is true, and `2024-01-01` and `12:30` are texts. A text that
either of them could take for something else is written in quotes.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

import yaml

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.workloads import Document

_YAML: Final = "tag:yaml.org,2002:"
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$")
# Some readers take these for the end of a line.
_OTHER_BREAKS: Final = re.compile("[\r\x85\u2028\u2029]")
_SHORT: Final = re.compile("[yYnN]$")
# A letter first, and no word that any version of YAML takes for a truth value or for nothing.
_PLAIN: Final = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)$)(?:--?)?[a-z/][a-z0-9_./-]*(?:[ :=][a-z0-9_./-]+)*",
    re.IGNORECASE,
)


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as Kubernetes does."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {  # noqa: RUF012 - as PyYAML has it
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag.removeprefix(_YAML) not in {"int", "float", "timestamp", "value"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _kind, _pattern, _first in (
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("bool", _SHORT, "yYnN"),
):
    _Loader.add_implicit_resolver(f"{_YAML}{_kind}", _pattern, list(_first))
_Loader.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


class _Dumper(yaml.SafeDumper):
    """Writes every text so that it is read as text, long ones line by line, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - as PyYAML has it
        return True


def style(text: str) -> Literal['"', "'", "|"] | None:
    """Returns the mark of the YAML style in which every reader takes the text for a text; None for plain."""
    if _PLAIN.fullmatch(text):
        return None
    if _OTHER_BREAKS.search(text):
        return '"'
    if "\n" in text:
        return "|"
    return "'" if '"' in text else '"'


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar(f"{_YAML}str", text, style=style(text))


_Dumper.add_representer(str, _text)


def read_manifests(text: str, name: str) -> list[Document]:
    """Reads the objects of a file with one or more YAML or JSON documents; empty documents are left out.

    Args:
        text: the file's contents.
        name: the file's name, for messages.

    Raises:
        InvalidError: the text is not YAML, or a document is not an object.
    """
    try:
        found = [one for one in _documents(text) if one is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidError(f"{name} is not YAML: {error}: mend the file") from error
    for number, document in enumerate(found, 1):
        if not isinstance(document, dict):
            raise InvalidError(
                f"{name}: document {number} is not an object of Kubernetes but a {type(document).__name__}: "
                "give it apiVersion and kind, or remove it"
            )
    return [_apart(document) for document in found]


def _documents(text: str) -> list[Any]:
    # YAML takes neither the tabs of JSON nor its pairs of surrogates.
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            return [json.loads(text)]
    return list(yaml.load_all(text, Loader=_Loader))


def write_manifests(documents: Iterable[Document]) -> str:
    """Writes objects as YAML documents."""
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        explicit_start=True,
        width=float("inf"),
        allow_unicode=True,
    )


def _apart(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    """Copies, so that a value that an alias repeats can be changed in one place."""
    if isinstance(value, dict):
        return {key: _apart(below) for key, below in value.items()}
    return [_apart(below) for below in value] if isinstance(value, list) else value
